"""The demo: a Service gets an address and a client on the LAN reaches it, in seconds, on one machine.

python -m tests.demo [--binary] [--keep] [-o json]
"""

import argparse
import signal
import sys
from pathlib import Path

from tests.demo.failures import Failures
from tests.demo.story import Story
from tests.demo.telling import Teller
from tests.lab import net
from tests.lab.agents import BINARY, CPYTHON, Agent, fleet
from tests.lab.embedded import Embedded
from tests.lab.net import NAMESPACES, Lan
from tests.lab.traffic import Echo

FINE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main() -> int:
    """Show it; the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Three nodes, a client, an API server: speakerd at work.")
    parser.add_argument("--binary", action="store_true", help="run the compiled speakerd (see ./dev build)")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C, to look around")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    args = parser.parse_args()
    if lacking := net.missing():
        return _cannot(lacking)
    if args.binary and not Path(BINARY[0]).exists():
        return _cannot(f"{BINARY[0]} is not there: run ./dev build")
    teller = Teller(quiet=args.output == "json")
    lan = Lan()
    try:
        with net.orderly():
            passed = show(lan, teller, binary=args.binary, keep=args.keep)
    except AssertionError as fault:
        teller.end(f"error: demo: {fault}", ok=False)
        return FAILED
    except KeyboardInterrupt:
        teller.end(f"interrupted after {teller.elapsed:.1f} s; {_left(lan)}", ok=False)
        return INTERRUPTED
    figures = teller.figures
    text = (
        f"speakerd works: web had addresses after {figures['web.addressMilliseconds']:.0f} ms and was announced after"
        f" {figures['web.announcedMilliseconds']:.0f} ms; {passed} clients served;"
        f" {teller.elapsed:.1f} s in all, {_left(lan)}"
    )
    teller.end(text, ok=True)
    return FINE


def show(lan: Lan, teller: Teller, *, binary: bool, keep: bool) -> int:
    """Build the LAN, tell the story, take it all down; how often a client was served."""
    what = "the compiled binary" if binary else f"CPython {sys.version.split()[0]}"
    teller.head(f"speakerd ({what}) on three nodes, with a client on the same LAN")
    names = ", ".join(node.name for node in lan.nodes)
    with lan:
        teller.step("LAN", f"network namespaces for {names} and a client on a bridge: 10.99.0.0/16, fd99::/64")
        with Echo(lan), Embedded(lan) as plane:
            teller.step("API server", f"embedded, {plane.cluster.access.url}, with a Node for each")
            with fleet(lan, plane, BINARY if binary else CPYTHON) as agents:
                allocator = agents[0].status()["allocator"]
                teller.step("speakerd", f"runs on {names}; {allocator} gives out addresses")
                story = Story(lan, plane, teller)
                story.tell()
                Failures(lan, agents, story.last, teller).tell()
                teller.figures["secondsUntilTold"] = round(teller.elapsed, 2)
                if keep:
                    teller.lines("It goes on until Ctrl-C. To look around, as root:", commands(lan, agents, story.last))
                    signal.pause()
    return story.passed


def commands(lan: Lan, agents: list[Agent], address: str) -> dict[str, str]:
    """What to try while it runs."""
    client, first = f"ip netns exec {lan.client.namespace}", agents[0]
    speakerd = Path(sys.executable).parent / "speakerd"
    return {
        f"what {first.host.name} sees and does": f"{speakerd} status --run {first.run}",
        "ask a server as the client does": f"{client} bash -c 'exec 3<>/dev/tcp/{address}/80; echo hi >&3; cat <&3'",
        "the client's neighbours": f"{client} ip neighbour",
        "frames on the LAN": f"{client} tcpdump -eni eth0 arp or icmp6",
        "what speakerd says": f"tail -f {first.log}",
        f"the settings of {first.host.name}": f"cat {first.config}",
        "what stands in for kube-proxy": f"ip netns exec {first.host.namespace} nft list ruleset",
    }


def _left(lan: Lan) -> str:
    """What is left of it."""
    found = sorted(path.name for path in NAMESPACES.glob(f"{lan.prefix}-*")) if NAMESPACES.is_dir() else []
    return f"left behind: {', '.join(found)}" if found else "nothing left behind"


def _cannot(why: str) -> int:
    what, _, remedy = why.partition(": ")
    sys.stderr.write(f"error: demo: {what} ({remedy})\n")
    return WRONG_USAGE


if __name__ == "__main__":
    raise SystemExit(main())
