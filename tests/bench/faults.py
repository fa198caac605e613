"""What happens to the node that answers for a VIP; each gives back when that node could speak again."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.contenders import VIPS, Contender, Speakers
from tests.lab.agents import command_output
from tests.lab.net import Host, Lan, end, inside, tool

Act = Callable[[Lan, Contender, Host], float]
"""Seconds of time.time(): when its old owner is let back, or when it happened where it never goes silent or returns."""

STOPPED, CUT = 10.0, 5.0
OUTAGE = 1.0
"""Seconds the API server is away before the node dies."""
LOCKED = 1.0
"""Seconds for which the client that is hard of hearing heeds nothing unasked."""


def dies(lan: Lan, running: Contender, node: Host) -> float:
    """All processes killed, and the link cut at once."""
    now = time.time()
    running.kill(node)
    lan.link(node, "down")
    return now


def tree_killed(_lan: Lan, running: Contender, node: Host) -> float:
    """All processes killed, the link whole."""
    now = time.time()
    running.kill(node)
    return now


def announcer_killed(_lan: Lan, running: Contender, node: Host) -> float:
    """The announcer killed alone."""
    now = time.time()
    _speakers(running).agent(node).kill("announcer")
    return now


def stalls(_lan: Lan, running: Contender, node: Host) -> float:
    """The announcer stopped for a while, then continued."""
    agent = _speakers(running).agent(node)
    agent.kill("announcer", signal.SIGSTOP)
    time.sleep(STOPPED)
    now = time.time()
    agent.kill("announcer", signal.SIGCONT)
    return now


def cable_out(lan: Lan, _running: Contender, node: Host) -> float:
    """The cable out for a while, then in."""
    lan.link(node, "down")
    time.sleep(CUT)
    now = time.time()
    lan.link(node, "up")
    return now


def told_to_end(_lan: Lan, running: Contender, node: Host) -> float:
    """SIGTERM, then started again."""
    now = time.time()
    running.stop(node)
    running.start(node)
    return now


def drained(_lan: Lan, running: Contender, node: Host) -> float:
    """Drained by its operator."""
    now = time.time()
    command_output("drain", "--wait", "--run", str(_speakers(running).agent(node).run))
    return now


def dies_without_api(lan: Lan, running: Contender, node: Host) -> float:
    """The API server goes away; then the node dies."""
    _speakers(running).plane.fault(refuse=600.0)
    time.sleep(OUTAGE)
    return dies(lan, running, node)


def dies_unheard(lan: Lan, running: Contender, node: Host) -> float:
    """The node dies, and the client heeds no gratuitous frame for a second.

    Linux heeds them at once (locktime is for answers only), so its firewall drops them, as long as an element of a
    set lives.
    """
    with inside(lan.client.namespace):
        tool("nft", "-f", "-", feed=DEAF)
    return dies(lan, running, node)


DEAF = f"""table arp deaf {{
  set locked {{
    type ipv4_addr
    flags timeout
    elements = {{ {VIPS["IPv4"]} timeout {LOCKED:g}s }}
  }}
  chain input {{
    type filter hook input priority 0
    arp saddr ip @locked arp daddr ip @locked drop
  }}
}}
"""


def _speakers(running: Contender) -> Speakers:
    assert isinstance(running, Speakers)
    return running


@contextmanager
def load(lan: Lan, folder: Path, cores: int) -> Iterator[None]:
    """All cores busy with ordinary processes, two for each."""
    command = (sys.executable, "-c", "while True: pass")
    busy = [lan.spawn(lan.client, *command, log=folder / "load.log") for _ in range(2 * cores)]
    try:
        yield
    finally:
        for each in busy:
            end(each)
