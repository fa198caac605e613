"""What we took is asked for by others, soon and then rarely; only silence that says something is told."""

from collections.abc import Collection

from speakerd.model import Claim
from speakerd.ownership.effects import Noted, Tell
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import Ask
from speakerd.ownership.selfcheck import AGAIN, FIRST, PATIENCE, SAMPLE, SECOND, SelfCheck

IP = bytes((10, 0, 0, 1))


class Others:
    """Members `met` on our segment, among those that live."""

    def __init__(self, *met: str) -> None:
        self.met = set(met)

    def living(self) -> Collection[str]:
        return ("heir", "other")

    def meets(self, name: str) -> bool:
        return name in self.met


def checking(others: Others, *ips: bytes) -> tuple[SelfCheck, Holdings]:
    """A node that has just taken these, at 0.0."""
    holdings = Holdings(1, {})
    for ip in ips:
        holdings.table.put(Claim(ip, 1, "me", 0.0, "first", heir="heir"), 0.0)
        holdings.mine[ip] = ()
    check = SelfCheck(holdings, others)  # type: ignore[arg-type]
    check.look(ips, 0.0)
    return check, holdings


def asked(check: SelfCheck, until: float, *, heard: bool) -> list[tuple[float, str]]:
    """When somebody was asked to ask, and who, up to a time; `heard`: an answer comes at once."""
    found = []
    while (at := check.deadline()) is not None and at <= until:
        for effect in check.wake(at):
            if isinstance(effect, Tell) and isinstance(effect.body, Ask):
                found.append((at, effect.to))
                if heard:
                    check.heard(effect.body.ips[0], effect.to)
    return found


def test_a_vip_is_asked_for_by_the_heir_at_one_and_five_seconds_and_then_once_a_minute() -> None:
    check, _ = checking(Others("heir", "other"), IP)
    times = [FIRST, SECOND, SECOND + SAMPLE, SECOND + 2 * SAMPLE]
    assert asked(check, 130.0, heard=True) == [(at, "heir") for at in times]
    assert check.unheard == {}


def test_however_many_vips_there_are_they_have_their_turns() -> None:
    ips = [bytes((10, 0, number >> 8, number & 255)) for number in range(1000)]
    check, _ = checking(Others("heir"), *ips)
    found = asked(check, 101.0, heard=True)
    assert max(sum(begin <= at < begin + 1.0 for at, _ in found) for begin in range(100)) <= 21
    assert len(asked(check, 161.0, heard=True)) <= 60 * 20


def test_three_silences_are_told_and_asked_for_again_until_somebody_hears() -> None:
    check, _ = checking(Others("heir"), IP)
    assert len(asked(check, FIRST + 3 * PATIENCE, heard=False)) == 3
    assert check.unheard == {IP: "heir"}
    assert [at for at, _ in asked(check, FIRST + 3 * PATIENCE + AGAIN, heard=True)] == [SECOND]
    assert check.unheard == {}


def test_it_is_noted_once() -> None:
    check, _ = checking(Others("heir"), IP)
    noted = []
    while (at := check.deadline()) is not None and at < 100.0:
        noted += [effect for effect in check.wake(at) if isinstance(effect, Noted)]
    assert [each.word for each in noted] == ["vip.unheard"]


def test_without_the_heir_on_the_segment_another_asks() -> None:
    check, _ = checking(Others("other"), IP)
    assert asked(check, FIRST, heard=True) == [(FIRST, "other")]


def test_nobody_on_the_segment_means_no_check_and_no_finding() -> None:
    check, _ = checking(Others(), IP)
    assert asked(check, 1000.0, heard=False) == []
    assert check.unheard == {}


def test_the_silence_of_a_member_whose_wire_died_says_nothing() -> None:
    others = Others("heir")
    check, _ = checking(others, IP)
    asked(check, FIRST + PATIENCE / 2, heard=False)
    others.met.clear()
    asked(check, FIRST + 3 * PATIENCE, heard=False)
    assert check.unheard == {}


def test_what_was_given_away_is_forgotten() -> None:
    check, holdings = checking(Others("heir"), IP)
    asked(check, FIRST + 3 * PATIENCE, heard=False)
    del holdings.mine[IP]
    check.look([IP], 2.0)
    assert check.unheard == {}
    assert asked(check, 1000.0, heard=False) == []
