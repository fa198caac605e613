"""What the demo shows of failures, as a client sees them: an owner dies, one is drained, heartbeats are blocked."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from tests.demo.telling import Teller
from tests.lab.agents import Agent, command_output, ready
from tests.lab.frames import Watch
from tests.lab.net import Lan, inside, tool
from tests.lab.standin import Forward, forward
from tests.lab.steps import owner
from tests.lab.traffic import Probe
from tests.lab.waiting import eventually, throughout

BLOCK = "table inet blocked {{\n chain {0} {{\n type filter hook {0} priority 0\n udp dport 7946 drop\n }}\n}}\n"
SERVED = 50
"""Probes that the client had answered before anything happens."""
GRACE = 0.5
"""Seconds the client and the onlooker look on after it."""


class Failures:
    """Of the VIP `address`, answered by one of `agents`."""

    def __init__(self, lan: Lan, agents: Sequence[Agent], address: str, teller: Teller) -> None:
        self._lan, self._agents, self._address, self._teller = lan, agents, address, teller

    def tell(self) -> None:
        """All of them; at the end every node runs again."""
        self._dies()
        self._drained()
        self._blocked()

    def _owner(self) -> Agent:
        name = owner(self._lan, self._address)
        return next(each for each in self._agents if each.host.name == name)

    def _watched(self, agent: Agent, act: Callable[[], None]) -> tuple[float, float, int]:
        """(longest ARP silence, the client's longest gap, lost probes) while `act` happens; `agent` runs no pod."""
        stay = [node for node in self._lan.nodes if node != agent.host]
        forward(self._lan, [Forward(self._address, 80, stay)])
        watch = Watch(self._lan.onlooker, ask=[self._address])
        with watch, Probe(self._lan.client, self._address, 80, time.monotonic, 0.002) as probe:
            eventually(lambda: len(probe.answers) > SERVED, "the client is served")
            act()
            time.sleep(GRACE)
        return watch.silence(self._address), probe.silence, probe.sent - len(probe.answers)

    def _dies(self) -> None:
        """All processes of the owner killed, its link cut."""
        agent = self._owner()

        def die() -> None:
            for pid in agent.pids().values():
                os.kill(pid, signal.SIGKILL)
            self._lan.link(agent.host, "down")

        silence, gap, _ = self._watched(agent, die)
        heir = owner(self._lan, self._address)
        assert heir != agent.host.name
        self._teller.step(
            "dies",
            f"{agent.host.name}, processes and link: {heir} answers; ARP silent for {silence * 1000:.0f} ms,"
            f" the client for {gap * 1000:.0f} ms",
        )
        self._teller.figures |= {"dead.arpMilliseconds": round(silence * 1000), "dead.clientMilliseconds": gap * 1000}
        self._lan.link(agent.host, "up")
        agent.stop()
        agent.start()
        eventually(partial(ready, agent, [each.host.name for each in self._agents]), f"{agent.host.name} is back", 20)
        assert owner(self._lan, self._address) == heir
        self._teller.step("returns", f"{agent.host.name} is back; {heir} keeps {self._address}")

    def _drained(self) -> None:
        """The owner is drained: another answers first, then it falls silent."""
        agent = self._owner()
        silence, _, lost = self._watched(agent, lambda: self._say(agent, "drain", "--wait"))
        other = owner(self._lan, self._address)
        assert other != agent.host.name
        self._teller.step(
            "drained",
            f"{agent.host.name}: {other} answers; ARP silent for {silence * 1000:.0f} ms, {lost} of the client's"
            " probes lost",
        )
        self._say(agent, "undrain")

    @staticmethod
    def _say(agent: Agent, *words: str) -> None:
        command_output(*words, "--run", str(agent.run))

    def _blocked(self) -> None:
        """Port 7946 is blocked at the owner, both ways: frames carry the heartbeats, and nothing moves."""
        agent = self._owner()
        with inside(agent.host.namespace):
            for hook in ("input", "output"):
                tool("nft", "-f", "-", feed=BLOCK.format(hook))
        throughout(lambda: owner(self._lan, self._address) == agent.host.name, "the owner stays", 1)
        words = eventually(
            lambda: [each for each in agent.status().get("findings", ()) if each["finding"] == "membership-blocked"],
            "the finding is told",
        )
        with inside(agent.host.namespace):
            tool("nft", "delete", "table", "inet", "blocked")
        self._teller.step("blocked", f"7946/udp at {agent.host.name}: nothing moves; status says: {words[0]['remedy']}")
