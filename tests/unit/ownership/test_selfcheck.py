"""What we took is asked for by others, soon and then rarely; only silence that says something is told."""

from collections.abc import Collection

import pytest

from speakerd.exchange import Candidate, Claim, Stake, Vip
from speakerd.ownership.effects import Noted, Tell
from speakerd.ownership.holdings import Holdings, Place
from speakerd.ownership.message import Ask
from speakerd.ownership.selfcheck import AGAIN, FIRST, PACE, PATIENCE, SAMPLE, SECOND, SLOWER, TRIES, SelfCheck

IP = bytes((10, 0, 0, 1))
OURS, MEMBERS, STRANGERS = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", b"\2\xff\0\0\0\1"
SILENT = b""
MANY = [bytes((10, 0, number >> 8, number & 255)) for number in range(1000)]
JUDGED = FIRST + TRIES * PATIENCE + 0.001


class Others:
    """Members `met` on interface 1 of ours, alive since `since`; `speaks`: whose answer they hear, of each VIP."""

    def __init__(self, *met: str, speaks: bytes = OURS) -> None:
        self.met = set(met)
        self.since = 0.0
        self.speaks = speaks

    def living(self) -> Collection[str]:
        return ("heir", "other")

    def meets(self, name: str, indexes: Collection[int], since: float) -> bool:
        return name in self.met and 1 in indexes and self.since <= since

    def who(self, mac: bytes) -> str:
        return {OURS: "me", MEMBERS: "other"}.get(mac, "")


class Owner:
    """A node that has just taken some VIPs, at 0.0, and whoever is asked tells what it hears at once."""

    def __init__(self, others: Others, *ips: bytes, interfaces: tuple[str, ...] = ()) -> None:
        self.others = others
        self.holdings = holdings = Holdings(1, {})
        holdings.call("me")
        holdings.stand(Place({"eth0": 1, "eth1": 2}, frozenset({OURS})), 0.0)
        holdings.want({ip: Stake(Vip(ip, "d/s", ip, 0, interfaces), (Candidate("me"),)) for ip in ips}, 0.0)
        for ip in ips:
            holdings.claim(ip, "first", 0.0)
            holdings.put(Claim(ip, 2, "me", 0.0, "first", heir="heir"), 0.0)
        self.moving: set[bytes] = set()
        self.noted: list[Noted] = []
        self.check = SelfCheck(holdings, others, self.moving.__contains__)  # type: ignore[arg-type]
        self.check.look(ips, 0.0)

    def run(self, until: float) -> list[tuple[float, bytes]]:
        """When somebody was asked to ask, and for what, up to a time."""
        found = []
        while (at := self.check.deadline()) is not None and at <= until:
            for effect in self.check.wake(at):
                if isinstance(effect, Noted):
                    self.noted.append(effect)
                elif isinstance(effect, Tell) and isinstance(effect.body, Ask):
                    (ip,) = effect.body.ips
                    found.append((at, ip))
                    self.asked = effect.to
                    if self.others.speaks:
                        self.noted += self.check.heard(ip, self.others.speaks, effect.to, at)  # type: ignore[arg-type]
        return found

    def times(self, until: float) -> list[float]:
        """When, alone."""
        return [round(at, 6) for at, _ in self.run(until)]

    def lose(self, ip: bytes, now: float) -> None:
        """It is another's from now on."""
        self.holdings.fall_silent(ip)
        self.check.look([ip], now)


def test_a_vip_is_asked_for_by_the_heir_at_one_and_five_seconds_and_then_once_a_minute() -> None:
    owner = Owner(Others("heir", "other"), IP)
    assert owner.times(130.0) == [FIRST, SECOND, SECOND + SAMPLE, SECOND + 2 * SAMPLE]
    assert owner.asked == "heir"
    assert not owner.check.unheard
    assert not owner.check.foreign


def test_a_thousand_vips_taken_at_once_are_each_asked_for_twice_at_a_bounded_rate() -> None:
    owner = Owner(Others("heir"), *MANY)
    found = owner.run(120.0)
    assert max(sum(begin <= at < begin + 1.0 for at, _ in found) for begin in range(120)) <= 1 / PACE + 1
    soon = [ip for _, ip in found[:2000]]
    assert all(soon.count(ip) == 2 for ip in MANY[::100])


def test_in_calm_one_of_a_thousand_is_asked_for_each_minute_and_each_has_its_turn() -> None:
    owner = Owner(Others("heir"), *MANY)
    owner.run(200.0)
    found = owner.run(200.0 + 1000 * SAMPLE)
    assert len(found) == 1000
    assert {ip for _, ip in found} == set(MANY)


def test_where_all_of_a_thousand_fail_messages_stay_few() -> None:
    owner = Owner(Others("heir", speaks=SILENT), *MANY)
    found = owner.run(1000.0)
    assert set(owner.check.unheard) == set(MANY)
    assert sum(at < 100.0 for at, _ in found) <= 100 / PACE + 100 / SLOWER
    assert sum(at >= 500.0 for at, _ in found) <= 500 / SLOWER + 500 / SAMPLE + 1


def test_three_silences_are_told_and_asked_for_again_until_our_answer_is_heard() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    assert owner.times(JUDGED) == [FIRST, FIRST + PATIENCE, FIRST + 2 * PATIENCE]
    assert owner.check.unheard == {IP: "heir"}
    assert len(owner.times(JUDGED + AGAIN)) == 2
    assert owner.check.unheard == {IP: "heir"}
    owner.others.speaks = OURS
    owner.run(JUDGED + 2 * AGAIN + 1.0)
    assert owner.check.unheard == {}


@pytest.mark.parametrize(("speaks", "word"), [(SILENT, "vip.unheard"), (MEMBERS, "vip.answered-by-another-speaker")])
def test_it_is_noted_once(speaks: bytes, word: str) -> None:
    owner = Owner(Others("heir", speaks=speaks), IP)
    owner.run(100.0)
    assert [each.word for each in owner.noted] == [word]


def test_one_answer_of_a_stranger_is_told_until_ours_is_heard_again() -> None:
    owner = Owner(Others("heir", speaks=STRANGERS), IP)
    assert owner.times(FIRST) == [FIRST]
    assert owner.check.foreign == {IP: STRANGERS}
    owner.others.speaks = OURS
    owner.run(SECOND + PATIENCE)
    assert owner.check.foreign == {}


def test_another_members_answer_is_told_once_it_came_three_times() -> None:
    owner = Owner(Others("heir", speaks=MEMBERS), IP)
    owner.run(JUDGED - PATIENCE)
    assert owner.check.foreign == {}
    owner.run(JUDGED)
    assert owner.check.foreign == {IP: MEMBERS}


def test_another_members_answer_that_ends_with_the_move_is_told_to_nobody() -> None:
    owner = Owner(Others("heir", speaks=MEMBERS), IP)
    owner.run(FIRST)
    owner.others.speaks = OURS
    owner.run(100.0)
    assert owner.check.foreign == {}
    assert owner.noted == []


def test_what_somebody_says_who_was_not_asked_changes_nothing() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(JUDGED)
    assert owner.check.heard(IP, OURS, "other", JUDGED) == []
    assert owner.check.unheard == {IP: "heir"}


def test_without_the_heir_on_the_segment_another_asks() -> None:
    owner = Owner(Others("other"), IP)
    assert owner.times(FIRST) == [FIRST]
    assert owner.asked == "other"


def test_nobody_on_the_segment_means_no_check_and_no_finding() -> None:
    owner = Owner(Others(speaks=SILENT), IP)
    assert owner.run(1000.0) == []
    assert owner.check.unheard == {}


def test_who_is_met_on_another_interface_than_the_vips_is_not_asked() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP, interfaces=("eth1",))
    assert owner.run(1000.0) == []
    assert owner.check.unheard == {}


def test_the_silence_of_a_member_whose_wire_died_says_nothing() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(FIRST + PATIENCE / 2)
    owner.others.met.clear()
    owner.run(100.0)
    assert owner.check.unheard == {}


def test_the_silence_of_a_member_that_was_in_doubt_meanwhile_says_nothing() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(FIRST + PATIENCE / 2)
    owner.others.since = FIRST + PATIENCE
    owner.run(JUDGED)
    assert owner.check.unheard == {}


def test_a_finding_goes_when_nobody_is_left_to_tell() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(JUDGED)
    owner.others.met.clear()
    owner.run(JUDGED + AGAIN)
    assert owner.check.unheard == {}


def test_what_was_asked_before_this_process_stood_still_is_asked_anew() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(FIRST + 2 * PATIENCE)
    owner.check.paused(3.0)
    owner.others.speaks = OURS
    assert owner.times(3.0 + FIRST) == [3.0 + FIRST]
    assert owner.check.unheard == {}


def test_a_vip_that_is_under_way_is_not_asked_for_nor_judged() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(FIRST + PATIENCE / 2)
    owner.moving.add(IP)
    assert owner.run(9.0) == []
    assert owner.check.unheard == {}
    owner.moving.clear()
    assert owner.run(30.0)


def test_what_was_given_away_is_forgotten() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.run(JUDGED)
    owner.lose(IP, JUDGED)
    assert owner.check.unheard == {}
    assert owner.run(1000.0) == []


def test_questions_wait_longer_where_heartbeats_are_rarer() -> None:
    owner = Owner(Others("heir", speaks=SILENT), IP)
    owner.check.configure(1.0)
    assert owner.times(SECOND - 0.1) == [FIRST, FIRST + 2.0]
