"""Run a bench: python -m tests.bench NAME [-o json] [--binary]; exit 0 also when a goal is missed."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import msgspec

from speakerd.cli.terminal import Colour, coloured, paint, table
from tests.bench.figures import Options, Outcome
from tests.lab.agents import BINARY, CPYTHON

BENCHES = {
    "service": "a Service on the real control plane: address, announcement, 1,000 of them, CPU, memory",
    "layer2": "ARP round trip beside the kernel's own, a storm, start, memory",
    "steady": "minutes in which nothing happens, 100 VIPs on the real control plane: writes, moves, CPU, packets",
    "failover": "the owner of a VIP dies, stalls, stops or is drained: how long it is silent; keepalived beside it",
    "bgp": "FRR and BIRD as receivers: a Service, a restart, 10,000 prefixes, BFD; the codec beside ExaBGP's",
    "trouble": "BGP peers that misbehave, one of them with a million prefixes: how long a good one waits for them",
    "footprint": "size, start, memory, what idle minutes take: CPU, wake-ups, disk; the one file, too",
    "responder": "ARP and NDP without a network: time a frame, random frames",
    "decide": "a plan from nothing, after one change, one more allocation: many Services, pools and nodes",
    "ownership": "a death among 200 nodes with 2,000 VIPs: what it costs another node to decide",
    "mesh": "many members over UDP on loopback: packets and CPU of each",
}
WRONG_USAGE = 2


def main() -> int:
    """Run it and print what came out."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure speakerd.")
    parser.add_argument("name", choices=BENCHES, help="; ".join(f"{name}: {what}" for name, what in BENCHES.items()))
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.add_argument("--binary", action="store_true", help="the compiled speakerd alone (see ./dev build)")
    parser.add_argument("--cases", default="", metavar="A,B", help="failover, bgp: these alone (a: also a.2, a.3, ...)")
    parser.add_argument(
        "--runs",
        type=int,
        default=10,
        metavar="N",
        help="failover, bgp: of each case; steady, footprint: idle minutes (default 10)",
    )
    args = parser.parse_args()
    programs: dict[str, Sequence[str]] = {"cpython": CPYTHON} if not args.binary else {}
    if Path(BINARY[0]).exists():
        programs["binary"] = BINARY
    if not programs:
        sys.stderr.write(f"error: {BINARY[0]}: not there (run ./dev build)\n")
        return WRONG_USAGE
    run: Callable[[Options], Outcome] = import_module(f"tests.bench.{args.name}").run
    cases = tuple(filter(None, args.cases.split(",")))
    outcome = run(Options(programs, cases, args.runs))
    if args.output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(outcome), indent=1).decode() + "\n")
    else:
        sys.stdout.write(rendered(outcome, colour=coloured()))
    return 0


def rendered(outcome: Outcome, *, colour: bool) -> str:
    """Figures and goals as tables."""
    figures = [[name, f"{value:g}"] for name, value in outcome["figures"].items()]
    words = {True: paint("met", Colour.GREEN, on=colour), False: paint("missed", Colour.RED, on=colour)}
    goals = [
        [each["name"], f"{each['value']:g}", f"{each['goal']:g}", each["unit"], words[each["met"]]]
        for each in outcome["goals"]
    ]
    parts = [
        table(["FIGURE", "VALUE"], figures, colour=colour),
        table(["GOAL", "VALUE", "AT MOST", "UNIT", "IS"], goals, colour=colour),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
