"""A rule's cluster through `speakerd plan`: what its public JSON tells, as far as the rule speaks of it."""

import argparse
import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

from msgspec import Struct

from speakerd.cli import plan
from tests.forms import Object
from tests.rules.clusters import Rule, Told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    plan.configure(parser)
    return parser.parse_args(["-f", "-", "-o", "json"])


ARGUMENTS = _arguments()
"""Parsed once: it takes as long as to plan, and a hundred removals play a hundred cases each."""


class Outcome(Struct, frozen=True):
    """The exit code, and what `Rule` says of the same names."""

    code: int
    services: Mapping[str, Told]
    announced: tuple[Object, ...]
    pools: Mapping[str, tuple[int, int]]


def wanted(rule: Rule) -> Outcome:
    """What it comes to where the rule holds."""
    return Outcome(0, rule.services, rule.announced, rule.pools)


def told(rule: Rule) -> Outcome:
    """What it comes to."""
    code, found = _planned(rule.objects)
    services = {each["name"]: each for each in found["services"]}
    pools = {each["name"]: (each["total"], each["inUse"]) for each in found["pools"]}
    return Outcome(
        code,
        {name: _result(services[name]) for name in rule.services},
        tuple(services["s"]["announce"]) if rule.announced else (),
        {name: pools[name] for name in rule.pools},
    )


def _result(service: Object) -> Told:
    return service["result"], service["ips"], service["reason"]


def _planned(objects: tuple[Object, ...]) -> tuple[int, Object]:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]})
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(text.encode()))
    try:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
            code = plan.run(ARGUMENTS)
    finally:
        sys.stdin = stdin
    found: Object = json.loads(out.getvalue())
    return code, found
