"""Who had us ask the wire hears of each station that speaks for the address, in time and not for ever."""

from speakerd.errands import ASKED_FOR, MOST_TOLD, Errands
from speakerd.ownership.message import ADDRESSES

IP = bytes((10, 0, 0, 1))


def mac(number: int) -> bytes:
    return bytes((2, 0, 0, 0, 0, number))


def test_each_station_that_speaks_for_it_is_told_once() -> None:
    errands = Errands()
    assert errands.take("n2", [IP], 1.0) == [IP]
    assert [errands.heard(IP, mac(number), 1.01) for number in (1, 1, 2, 1)] == ["n2", "", "n2", ""]


def test_of_many_stations_some_are_told() -> None:
    errands = Errands()
    errands.take("n2", [IP], 1.0)
    assert sum(bool(errands.heard(IP, mac(number), 1.01)) for number in range(100)) == MOST_TOLD


def test_what_is_heard_too_late_or_was_not_asked_for_is_told_to_nobody() -> None:
    errands = Errands()
    errands.take("n2", [IP], 1.0)
    assert not errands.heard(bytes((10, 0, 0, 2)), mac(1), 1.0)
    assert not errands.heard(IP, mac(1), 1.001 + ASKED_FOR)


def test_who_asks_again_is_told_again() -> None:
    errands = Errands()
    for now in (1.0, 1.02):
        errands.take("n2", [IP], now)
        assert errands.heard(IP, mac(1), now) == "n2"


def test_there_is_room_for_one_message_of_addresses_until_their_time_is_over() -> None:
    errands = Errands()
    many = [number.to_bytes(4) for number in range(ADDRESSES)]
    assert errands.take("n2", many, 1.0) == many
    assert errands.take("n3", [IP], 1.01) == []
    assert errands.take("n3", [IP], 1.001 + ASKED_FOR) == [IP]
