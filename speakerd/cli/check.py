"""`speakerd check`: whether settings files and Kubernetes objects hold, and what they come to."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from speakerd import snap
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, inputs
from speakerd.cli.terminal import Colour, coloured, paint, table
from speakerd.config import document, file, legacy
from speakerd.config.addresses import cidrs, shown
from speakerd.config.example import example
from speakerd.config.legacy import Legacy
from speakerd.config.load import Loaded, load
from speakerd.config.origin import Labels
from speakerd.config.resolve import resolve
from speakerd.config.resources import Resources
from speakerd.config.sides import NOTHING
from speakerd.config.sources import Sources
from speakerd.model import Config, Pool, Problem, Range
from speakerd.peering import BfdProfile
from speakerd.settings import Paths, Settings

MOST = (1 << 63) - 1
"""The largest count told, as MetalLB does: readers of JSON know 64 bits."""


class PoolVerdict(Struct, frozen=True, rename="camel"):
    """What an IPAddressPool comes to; counts are of addresses it may give out."""

    name: str
    cidrs: list[str]
    auto_assign: bool
    avoid_buggy_ips: bool = msgspec.field(name="avoidBuggyIPs")
    priority: int
    total: int
    ipv4: int
    ipv6: int
    layer2: bool
    bgp: bool


class PeerVerdict(Struct, frozen=True):
    """What a BGPPeer comes to."""

    name: str
    address: str
    peer_asn: int = msgspec.field(name="peerASN")


class AliasVerdict(Struct, frozen=True):
    """What a name of a Community comes to."""

    name: str
    value: str


class Verdict(Struct, frozen=True, rename="camel"):
    """What `check -o json` prints."""

    valid: bool
    problems: tuple[Problem, ...]
    pools: list[PoolVerdict]
    peers: list[PeerVerdict] = []
    bfd_profiles: list[BfdProfile] = []
    communities: list[AliasVerdict] = []


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    inputs.configure(parser, "the settings of this host")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.add_argument("--example", action="store_true", help="print a settings file with every key explained")
    parser.epilog = f"Example: kubectl get {inputs.KINDS} -A -o yaml | speakerd check -f -"


def run(args: argparse.Namespace) -> int:
    """Check, print, and tell by the exit code."""
    if args.example:
        own = snap.inside(os.environ)
        defaults = Settings(paths=Paths(own.state, own.run)) if own else Settings()
        sys.stdout.write(example(defaults))
        return FINE
    verdict, config = checked_files(args.file) if args.file else checked_host(Sources(environ=os.environ))
    if args.output == "json":
        print(msgspec.json.format(msgspec.json.encode(verdict)).decode())
    else:
        print(rendered(verdict, config, colour=coloured(sys.stdout)))
    for problem in verdict.problems:
        sys.stderr.write(line(problem, colour=coloured(sys.stderr)) + "\n")
    if any(each.reason == document.UNREADABLE for each in verdict.problems):
        return WRONG_USAGE
    return FINE if verdict.valid else NOT_VALID


def checked_host(sources: Sources) -> tuple[Verdict, Config]:
    """The settings the agent of this host would read."""
    return judged(load(sources), NOTHING)


def checked_files(names: Iterable[str]) -> tuple[Verdict, Config]:
    """Settings (later over earlier, as drop-ins) and objects together."""
    given = inputs.read(names)
    old = legacy.read(given.config_map) if given.config_map else Legacy()
    loaded = Loaded(given.loaded.settings, (*given.loaded.problems, *old.problems))
    return judged(loaded, given.resources, given.node_labels, old.resources)


def judged(
    loaded: Loaded, objects: Resources, nodes: Labels | None = None, old: Resources = NOTHING
) -> tuple[Verdict, Config]:
    """What settings and objects come to together."""
    own = old or (file.resources(loaded.settings) if loaded.settings else NOTHING)
    config = resolve(objects, own, nodes)
    problems = (*loaded.problems, *config.problems)
    pools = [_pool(each, config) for each in config.pools]
    valid = not any(each.severity == "error" for each in problems)
    routing = config.routing
    peers = [PeerVerdict(each.name, each.address or each.interface, each.peer_asn) for each in routing.peers]
    aliases = [AliasVerdict(name, value) for name, value in routing.communities]
    return Verdict(valid, problems, pools, peers, [*routing.bfd_profiles], aliases), config


def _pool(pool: Pool, config: Config) -> PoolVerdict:
    ipv4, ipv6 = (sum(_usable(r, pool) for r in pool.ranges if r.family == family) for family in (4, 6))
    return PoolVerdict(
        name=pool.name,
        cidrs=[cidr for each in pool.ranges for cidr in cidrs(each)],
        auto_assign=pool.auto_assign,
        avoid_buggy_ips=pool.avoid_buggy,
        priority=pool.priority,
        total=min(ipv4 + ipv6, MOST),
        ipv4=ipv4,
        ipv6=min(ipv6, MOST),
        layer2=any(each.pools is None or pool.name in each.pools for each in config.advertisements),
        bgp=any(each.covers(pool.name) for each in config.routing.routes),
    )


def _usable(each: Range, pool: Pool) -> int:
    """How many addresses the pool gives out of a range: without those that end in .0 or .255 where it avoids them."""
    if not (pool.avoid_buggy and each.family == 4):
        return each.size
    zeros = (each.last >> 8) - (each.first - 1 >> 8)
    full = (each.last + 1 >> 8) - (each.first >> 8)
    return each.size - zeros - full


def line(problem: Problem, *, colour: bool) -> str:
    """`error: WHERE: WHAT (REMEDY)`."""
    field = f" {problem.field}" if problem.field.startswith(("spec", "metadata")) else ""
    shade = Colour.RED if problem.severity == "error" else Colour.YELLOW
    head = paint(problem.severity, shade, on=colour)
    return f"{head}: {problem.object}{field}: {problem.message} ({problem.remedy})"


def rendered(verdict: Verdict, config: Config, *, colour: bool) -> str:
    """For people: the verdict, and the pools."""
    head = paint("valid", Colour.GREEN, on=colour) if verdict.valid else paint("not valid", Colour.RED, on=colour)
    if not verdict.pools:
        return f"{head}, no pools"
    ranges = {each.name: each.ranges for each in config.pools}
    rows = [_row(each, ranges[each.name]) for each in verdict.pools]
    return f"{head}\n\n" + table(["POOL", "ADDRESSES", "COUNT", "AUTO ASSIGN", "LAYER 2", "BGP"], rows, colour=colour)


def _row(pool: PoolVerdict, ranges: Sequence[Range]) -> list[str]:
    told = ", ".join(map(shown, ranges[:4])) + (f" and {len(ranges) - 4} more" if len(ranges) > 4 else "")
    marks = ["yes" if each else "no" for each in (pool.auto_assign, pool.layer2, pool.bgp)]
    return [pool.name, told, str(pool.total), *marks]
