"""`speakerd status`: what the running agent sees and does."""

import argparse
import sys
import time

import msgspec

from speakerd.cli import FINE, NOT_VALID, asking
from speakerd.cli.terminal import CLEAR, Colour, coloured, paint, table
from speakerd.control import Request
from speakerd.report import MemberReport, Report, VipReport, alive
from speakerd.sessions import PeerReport

FAILING = 3
"""Writes that failed, told as text; -o json has them all."""
EVERY = 1.0
"""Seconds between two looks of --watch."""
VIPS = [*"VIP SERVICE OWNER HEIR EPOCH SINCE CAUSE PREVIOUS INTERFACES MAC".split(), "WHY NOT"]
PEERS = ["BGP PEER", "ADDRESS", "AS", "STATE", "SINCE", "TOLD", "DUE", "RECEIVED", "BFD", "LAST ERROR"]
MEMBERS = ["MEMBER", "STATE", "SINCE", "HEARD", "ROUND TRIP", "CARRIERS", "WATCHED"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.add_argument("-w", "--watch", action="store_true", help="look again each second until interrupted")
    parser.epilog = "Example: speakerd status -o json. Exit code 1: a finding of severity error; 3: no agent runs here."


def run(args: argparse.Namespace) -> int:
    """Ask and print; with --watch until interrupted."""
    path = asking.socket(args)
    while True:
        answer = asking.told(path, Request("status"))
        report = msgspec.json.decode(answer, type=Report)
        text = answer.decode().rstrip("\n") if args.output == "json" else rendered(report, colour=coloured(sys.stdout))
        if not args.watch:
            print(text)
            return NOT_VALID if any(each.severity == "error" for each in report.findings) else FINE
        print((CLEAR if sys.stdout.isatty() else "") + text, flush=True)
        time.sleep(EVERY)


def rendered(report: Report, *, colour: bool) -> str:
    """The report as paragraphs and tables."""
    parts = [_head(report, colour=colour), _findings(report, colour=colour)]
    if report.vips:
        parts.append(table(VIPS, [_vip(each) for each in report.vips], colour=colour))
    waiting = [s for s in report.services if s.reason or not s.ips]
    if waiting:
        rows = [[f"{s.namespace}/{s.name}", ",".join(s.ips), s.reason, s.message] for s in waiting]
        parts.append(table(["SERVICE", "HOLDS", "REASON", "MESSAGE"], rows, colour=colour))
    if report.peers:
        parts.append(table(PEERS, [_peer(each) for each in report.peers], colour=colour))
    if report.member_states:
        rows = [_member(each) for each in report.member_states]
        parts.append(table(MEMBERS, rows, colour=colour))
    rows = [[i.name, i.mac, "up" if i.carrier else "down", "yes" if i.usable else i.reason] for i in report.interfaces]
    parts.append(table(["INTERFACE", "MAC", "CARRIER", "USED"], rows, colour=colour))
    return "\n\n".join(filter(None, parts))


def _vip(told: VipReport) -> list[str]:
    epoch, interfaces = str(told.epoch or ""), ",".join(told.interfaces)
    known = [told.owner, told.heir, epoch, told.since, told.cause, told.previous, interfaces, told.mac]
    return [told.ip, told.service, *known, told.reason]


def _peer(told: PeerReport) -> list[str]:
    counts = [str(told.announced), str(told.due or ""), str(told.received or "")]
    bfd = told.bfd.state if told.bfd else ""
    return [
        told.name,
        told.address,
        str(told.asn or told.dynamic_asn),
        told.state,
        told.since,
        *counts,
        bfd,
        told.error,
    ]


def _member(told: MemberReport) -> list[str]:
    heard = (
        "" if told.heard is None else f"{told.heard * 1000:.0f} ms ago" if told.heard < 1 else f"{told.heard:.0f} s ago"
    )
    trip = "" if told.round_trip is None else f"{told.round_trip:.2f} ms"
    state = f"{told.state}, drained" if told.drained else told.state
    watched = told.watched or (f"each {told.interval * 1000:.0f} ms" if told.interval else "")
    return [told.name, state, told.since, heard, trip, ",".join(told.carriers), watched]


def _head(report: Report, *, colour: bool) -> str:
    api, node, config, run = report.api, report.node, report.configuration, report.processes
    known = "" if node.known or not api.connected else "  (no Node has this name)"
    state = paint("connected", Colour.GREEN, on=colour) if api.connected else paint("lost", Colour.RED, on=colour)
    age = "" if api.age is None else f", heard {api.age:.0f} s ago"
    server = f"{state} {api.server}".rstrip() if api.credentials else paint("not called", Colour.RED, on=colour)
    absent = [kind.kind for kind in api.kinds if kind.absent]
    elsewhere = f", another at {', '.join(config.differs)}" if config.differs else ""
    lines = [
        ("Node", f"{node.name}{known}, speakerd {node.version}, since {node.since}"),
        ("API", f"{server}{age}, {api.connections} connections, credentials: {api.credentials or 'none'}"),
        ("", f"not known to the API: {', '.join(absent)}" if absent else ""),
        *(("", f"not written: {what}: {why}") for what, why in list(api.failing.items())[:FAILING]),
        ("Allocator", report.allocator or "none"),
        ("Members", alive(report)),
        ("Pools", ", ".join(config.pools)),
        ("Digest", f"{config.digest}{elsewhere}"),
        ("Processes", f"supervisor {run.supervisor}, controller {run.controller}, announcer {run.announcer}"),
        ("", f"refused by the host: {', '.join(run.missing)}" if run.missing else ""),
    ]
    return "\n".join(f"{name:<10} {text}" for name, text in lines if text)


def _findings(report: Report, *, colour: bool) -> str:
    shades = {"error": Colour.RED, "warning": Colour.YELLOW}
    return "\n".join(
        f"{paint(f.severity, shades.get(f.severity, Colour.DIM), on=colour)}: {f.object}: {f.message} ({f.remedy})"
        for f in report.findings
    )
