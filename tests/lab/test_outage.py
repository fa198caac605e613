"""What was seen becomes figures that are right: gaps, silences with two answers, moves, and who spoke too long."""

import pytest

from tests.lab.eyes import Plan, Seen
from tests.lab.frames import Sighting
from tests.lab.net import Host
from tests.lab.outage import Outage, outage

VIP, OLD, NEW = "10.99.10.1", "02:00:00:00:00:01", "02:00:00:00:00:02"
HOST = Host("client", "client", "10.99.0.100", "fd99::100")
PLAN = Plan(HOST, HOST, [VIP], [VIP])
BEGAN = 100.0


def answer(when: float, mac: str) -> Sighting:
    return Sighting(when, VIP, mac, "answer")


def seen(
    answers: list[Sighting], lost: tuple[float, float] = (0.0, 0.0), late: tuple[float, float] = (0.0, 0.0)
) -> Outage:
    """Two seconds from 99.8 on: probes sent within `lost` stay open, nobody asks or probes within `late`."""
    probes = [99.8 + 0.002 * number for number in range(1000)]
    questions = [99.8 + 0.01 * number for number in range(200)]
    asked = [when for when in questions if not late[0] < when < late[1]]
    sent = [when for when in probes if not late[0] < when < late[1]]
    served = [(when, 0.0 if lost[0] <= when < lost[1] else when + 0.0001) for when in sent]
    return outage(Seen(served, [(when, VIP) for when in asked], answers), PLAN, BEGAN, BEGAN)


def every(mac: str, since: float, until: float) -> list[Sighting]:
    """An answer to each question in that time."""
    times = [99.8 + 0.01 * number for number in range(200)]
    return [answer(when + 0.0002, mac) for when in times if since <= when < until]


def test_a_vip_that_is_always_answered_has_no_gap_but_the_one_between_questions() -> None:
    found = seen(every(OLD, 99, 102))
    assert (found.twice, found.lost, found.moves, found.after) == (0, 0, 0, 0)
    assert found.arp == pytest.approx(0.01, abs=0.001)
    assert found.client == pytest.approx(0.002, abs=0.001)


def test_a_death_is_as_long_as_nobody_answers() -> None:
    found = seen([*every(OLD, 99, 100), *every(NEW, 100.195, 102)], lost=(100.001, 100.151))
    assert found.arp == pytest.approx(0.21, abs=0.001)
    assert found.client == pytest.approx(0.152, abs=0.001)
    assert (found.lost, found.moves) == (75, 1)


def test_silence_that_never_ends_lasts_to_the_end_of_the_look() -> None:
    found = seen(every(OLD, 99, 100), lost=(100.0, 103.0))
    assert found.arp == pytest.approx(1.8, abs=0.02)
    assert found.client == pytest.approx(1.8, abs=0.02)


def test_time_in_which_nobody_asked_is_not_theirs_who_answer() -> None:
    answers = [each for each in every(OLD, 99, 102) if not 100.495 < each.when < 100.695]
    found = seen(answers, late=(100.495, 100.695))
    assert found.arp < 0.022
    assert found.client < 0.005
    assert found.spacing > 0.19


def test_two_that_answer_one_question_are_counted_until_the_next() -> None:
    answers = sorted([*every(OLD, 99, 100.045), *every(NEW, 99.995, 102)], key=lambda each: each.when)
    found = seen(answers)
    assert found.twice == pytest.approx(0.05, abs=0.011)
    assert found.moves == 1
    assert found.after == pytest.approx(0.04, abs=0.011)


def test_who_still_answers_is_timed_from_the_announcement_of_who_stays() -> None:
    told = Sighting(100.5, VIP, NEW, "gratuitous")
    both = [*every(OLD, 99, 100.525), told, *every(NEW, 100.505, 102)]
    found = seen(sorted(both, key=lambda each: each.when))
    assert found.after == pytest.approx(0.0202, abs=0.001)


def test_a_move_back_is_a_second_move() -> None:
    assert seen([*every(OLD, 99, 100.5), *every(NEW, 100.5, 101), *every(OLD, 101, 102)]).moves == 2
