"""A child counts as hung once it was silent for its limit, and never because the host itself stood still."""

from speakerd.vigil import SILENCE, Vigil

LIMITS = {"announcer": 15.0, "controller": 60.0}


def begun() -> Vigil:
    vigil = Vigil(LIMITS)
    for name in LIMITS:
        vigil.heard(name, 0.0)
    return vigil


def hung(vigil: Vigil, until: float, *beating: str) -> list[tuple[float, str]]:
    """Who is told to hang and when, with a look each 5 s and beats of these until then."""
    found, now = [], 0.0
    while now < until:
        now += 5.0
        for name in beating:
            vigil.heard(name, now)
        found += [(now, name) for name in vigil.look(now)]
    return found


def test_a_controller_that_is_silent_for_a_minute_hangs_and_an_announcer_after_a_quarter_of_one() -> None:
    assert dict(SILENCE) == LIMITS
    assert hung(begun(), 64.0, "announcer") == [(65.0, "controller")]
    assert hung(begun(), 20.0, "controller") == [(20.0, "announcer")]


def test_one_that_beats_never_hangs() -> None:
    assert hung(begun(), 1000.0, *LIMITS) == []


def test_one_that_cannot_be_ended_is_told_again_and_again() -> None:
    assert hung(begun(), 200.0, "announcer") == [(65.0, "controller"), (130.0, "controller"), (195.0, "controller")]


def test_after_a_pause_of_the_host_silence_counts_anew() -> None:
    vigil = begun()
    vigil.look(5.0)
    assert not vigil.look(500.0)
    assert not vigil.look(507.5)
    assert vigil.look(515.1) == {"announcer": 15.100000000000023}


def test_one_that_has_ended_hangs_no_more_and_all_are_there_again_with_its_successor() -> None:
    vigil = begun()
    vigil.gone("controller")
    assert not vigil.whole()
    assert hung(vigil, 100.0, "announcer") == []
    vigil.heard("controller", 100.0)
    assert vigil.whole()
