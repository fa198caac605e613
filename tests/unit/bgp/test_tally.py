"""Prefixes of a peer are counted as what it has told and not withdrawn, without being kept."""

from hypothesis import given
from hypothesis import strategies as st

from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.tally import FEW, Tally
from speakerd.bgp.tolerance import Routes


def routes(*numbers: int, family: Family = IPV4) -> Routes:
    return Routes(family, b"".join(bytes((24,)) + number.to_bytes(3) for number in numbers), len(numbers))


def counted(tally: Tally) -> int:
    while tally.pending:
        tally.work(1000)
    return tally.count


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.sampled_from([IPV4, IPV6]))))
def test_few_are_counted_as_a_table_would(said: list[tuple[bool, int, Family]]) -> None:
    tally, table = Tally(), set()
    for come, number, family in said:
        if come:
            tally.announced([routes(number, family=family)])
            table.add((number, family))
        else:
            tally.withdrawn([routes(number, family=family)])
            table.discard((number, family))
    assert counted(tally) == len(table)


def test_many_are_estimated_however_often_they_are_told() -> None:
    tally, many = Tally(), range(20 * FEW)
    for _ in range(2):
        tally.announced([routes(*many)])
    assert abs(counted(tally) - len(many)) < len(many) / 100
    tally.withdrawn([routes(*many[: 10 * FEW])])
    assert abs(counted(tally) - 10 * FEW) < FEW / 5
    tally.withdrawn([routes(*many)])
    assert counted(tally) == 0


def test_a_long_message_is_counted_in_slices() -> None:
    tally = Tally()
    tally.announced([routes(1, 2, 3), routes(4)])
    tally.work(2)
    assert (tally.count, tally.pending) == (2, True)
    tally.work(2)
    assert (tally.count, tally.pending) == (4, False)
