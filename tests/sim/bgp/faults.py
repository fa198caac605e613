"""What goes wrong between two BGP speakers, drawn from one seed, and how it is when it has been over for a while.

python -m tests.sim.bgp.faults SEED     tells what happens, line by line
"""

import sys
from collections.abc import Callable
from functools import partial
from random import Random

from msgspec.structs import replace

from speakerd.bgp.attribute import Attributes
from speakerd.bgp.error import Cease
from speakerd.bgp.family import IPV4
from tests.sim.bgp.weather import PEACE, PREFIXES, Speaker, Weather

TROUBLE = 120.0
"""Seconds with faults."""
MOST_FAULTS, MOST_WISHES = 8, 12
LONGEST = 40.0
"""Seconds of a fault that lasts."""


class Faults:
    """Draws them, and plays them to one weather."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._random: Random = weather.random
        self._kinds: tuple[Callable[[], None], ...] = (
            self._cut,
            self._cut,
            self._stand_still,
            self._restart,
            self._refuse,
            self._reset,
            self._pause,
            self._change,
            self._break,
        )

    def play(self) -> None:
        """From the start of both to the end of peace."""
        weather, random = self._weather, self._random
        starts = [random.choice((0.0, 0.0, 0.0, random.uniform(0.0, 3.0))) for _ in weather.speakers]
        for speaker, after in zip(weather.speakers, starts, strict=True):
            weather.later(after, partial(self._start, speaker))
        faults = max(0, random.randrange(-3, MOST_FAULTS + 1))
        for _ in range(faults):
            weather.later(random.uniform(0.0, TROUBLE), random.choice(self._kinds))
        for _ in range(random.randrange(MOST_WISHES + 1)):
            weather.later(random.uniform(0.0, TROUBLE + PEACE / 2), self._wish)
        weather.run(TROUBLE + LONGEST + PEACE)
        settled(weather)
        assert faults or any(starts) or weather.dials <= len(starts), "nothing went wrong, and one call did not do"

    def _someone(self) -> Speaker:
        return self._random.choice(self._weather.speakers)

    def _while(self) -> float:
        return self._random.choice((0.05, 1.0, self._random.uniform(0.0, LONGEST)))

    def _start(self, speaker: Speaker) -> None:
        # Another life may have taken its place meanwhile.
        now = self._weather.speakers[speaker.side]
        self._weather.do(now, now.session.start(now.now))

    def _cut(self) -> None:
        weather = self._weather
        for side in self._random.choice(((0,), (1,), (0, 1))):
            weather.say(side, "is not heard")
            weather.cut[side] = True
            weather.later(self._while(), partial(self._heal, side))

    def _heal(self, side: int) -> None:
        self._weather.say(side, "is heard again")
        self._weather.cut[side] = False

    def _stand_still(self) -> None:
        speaker = self._someone()
        self._weather.say(speaker.side, "stands still")
        speaker.still = True
        self._weather.later(self._while(), lambda: self._go_on(speaker))

    def _go_on(self, speaker: Speaker) -> None:
        """What has arrived is handed over before anything else, as the session is promised."""
        if speaker is not self._weather.speakers[speaker.side]:
            return
        self._weather.say(speaker.side, "goes on")
        speaker.still = False
        waits, speaker.waits = speaker.waits, []
        for each in waits:
            each()

    def _restart(self) -> None:
        """Killed, and there again."""
        weather, old = self._weather, self._someone()
        weather.say(old.side, "is killed, and begins anew")
        new = Speaker(old.side, replace(old.terms, restarted=True), weather)
        weather.speakers[old.side] = new
        weather.abandon(old)
        new.rib.change(IPV4, dict(weather.wanted[old.side]))
        weather.later(self._while(), lambda: self._start(new))

    def _refuse(self) -> None:
        self._weather.refuses = True
        self._weather.later(self._while(), self._listen)

    def _listen(self) -> None:
        self._weather.refuses = False

    def _reset(self) -> None:
        speaker = self._someone()
        if not speaker.still:
            self._weather.do(speaker, speaker.session.reset(speaker.now, Cease.BFD_DOWN))

    def _pause(self) -> None:
        speaker = self._someone()
        if not speaker.still:
            why = self._random.choice((Cease.SHUTDOWN, None))
            self._weather.do(speaker, speaker.session.stop(speaker.now, why))
            self._weather.later(self._while(), lambda: self._start(speaker))

    def _change(self) -> None:
        speaker = self._someone()
        if not speaker.still:
            speaker.terms = replace(speaker.terms, hold_time=self._random.choice((9, 30, 90)))
            self._weather.do(speaker, speaker.session.apply(speaker.terms, speaker.now))

    def _break(self) -> None:
        speaker = self._someone()
        if speaker.open:
            self._weather.reset(speaker, self._random.choice(sorted(speaker.open)))

    def _wish(self) -> None:
        """Some routes come, change and go."""
        speaker, random = self._someone(), self._random
        wanted = self._weather.wanted[speaker.side]
        for prefix in random.sample(PREFIXES, random.randrange(1, len(PREFIXES))):
            said = random.choice((None, *(Attributes(path=(), med=number) for number in range(3))))
            if said is None:
                wanted.pop(prefix, None)
            else:
                wanted[prefix] = said
            speaker.rib.change(IPV4, {prefix: said})
        if not speaker.still:
            self._weather.do(speaker, [])


def settled(weather: Weather) -> None:
    """Fail unless both are up, by the two ends of one connection, and know what the other wants."""
    one, other = weather.speakers
    assert one.up is not None, "left is not up"
    assert other.up is not None, "right is not up"
    assert weather.other_end(one.up) == other.up, "each is up by another connection"
    assert one.told == weather.wanted[1], "left knows something else than right wants"
    assert other.told == weather.wanted[0], "right knows something else than left wants"


def played(seed: int) -> tuple[str, list[str]]:
    """The promise that was broken, "" where none was, and what happened."""
    weather = Weather(seed)
    try:
        Faults(weather).play()
    except AssertionError as fault:
        return str(fault) or "something of the session itself", weather.lines
    return "", weather.lines


if __name__ == "__main__":
    broken, lines = played(int(sys.argv[1]))
    print(*lines, broken or "all promises kept", sep="\n")
    raise SystemExit(bool(broken))
