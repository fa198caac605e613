"""`speakerd migrate`: what a MetalLB installation was told, as resources or settings of ours."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, Ended, fail, inputs
from speakerd.cli.check import line
from speakerd.cli.inputs import Inputs
from speakerd.cli.terminal import coloured
from speakerd.config import document, migration, written
from speakerd.config.load import load
from speakerd.config.migration import Migration
from speakerd.config.reader import plain
from speakerd.config.sources import Sources
from speakerd.settings import Settings

PRIVATE = 0o600
"""Of the copy: peers may have passwords."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE",
        help="MetalLB's objects or its ConfigMap, YAML or JSON, - is standard input; may be given again"
        " (default: those of the cluster)",
    )  # fmt: skip
    parser.add_argument("--charm", metavar="FILE", help="options of the charm, as juju config metallb prints them")
    parser.add_argument("--microk8s", metavar="RANGES", help="what microk8s enable metallb: was given")
    parser.add_argument(
        "-o", "--output", choices=("resources", "settings"), default="resources",
        help="manifests for kubectl apply, or a settings file",
    )  # fmt: skip
    parser.add_argument("--apply", action="store_true", help="create the resources in the cluster, where they are not")
    parser.add_argument(
        "--save", metavar="FILE", type=Path, help="first keep a copy there of all that MetalLB has in the cluster"
    )
    parser.epilog = (
        "Example: speakerd migrate --save metallb.json > resources.yaml, before MetalLB is removed: with its manifests"
        " go its CustomResourceDefinitions, and with these all pools."
    )


def run(args: argparse.Namespace) -> int:
    """Carry over, print or apply, and tell what is left behind."""
    settings = load(Sources(environ=os.environ)).settings or Settings()
    given = _given(args, settings)
    found = migration.together(_parts(args, given))
    problems = (*given.loaded.problems, *found.problems)
    for problem in problems:
        sys.stderr.write(line(problem, colour=coloured(sys.stderr)) + "\n")
    if any(each.reason == document.UNREADABLE for each in problems):
        return WRONG_USAGE
    verdict = NOT_VALID if any(each.severity == "error" for each in problems) else FINE
    namespace = found.settings.get("kubernetes", {}).get("namespace", settings.kubernetes.namespace)
    if args.apply and verdict == FINE:
        return _apply(written.manifests(found.resources, namespace), settings)
    if args.apply:
        return verdict
    if args.output == "settings":
        sys.stdout.write(written.as_yaml([{**found.settings, **written.entries(found.resources)}]))
    else:
        sys.stdout.write(written.as_yaml(written.manifests(found.resources, namespace)))
        for section, keys in found.settings.items():
            what, remedy = f"{section}: {msgspec.json.encode(keys).decode()}", "write it to /etc/speakerd.yaml"
            fail("settings", what, remedy, "warning")
    return verdict


def _given(args: argparse.Namespace, settings: Settings) -> Inputs:
    """The objects of the files, or of the cluster where no other source is named."""
    alone = not (args.file or args.charm or args.microk8s)
    if args.save or alone:
        objects = _of_cluster(settings)
        text = msgspec.json.format(msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": objects}))
        if args.save:
            _keep(args.save, text)
        if alone:
            return inputs.of([("cluster", text)], settings)
    return inputs.read(args.file, settings)


def _keep(where: Path, text: bytes) -> None:
    """Write the copy, to be read by its owner alone; one that is there already stays."""
    try:
        where.touch(PRIVATE, exist_ok=False)
        where.write_bytes(text)
    except OSError as fault:
        fail(str(where), f"cannot be written: {fault.strerror}", "name a file that is not there yet")
        raise Ended(WRONG_USAGE) from fault


def _parts(args: argparse.Namespace, given: Inputs) -> list[Migration]:
    parts = [Migration(given.resources), migration.of_installation(given.objects)]
    if given.config_map and not given.resources:
        parts.append(migration.of_config_map(given.config_map))
    if args.charm:
        parts.append(migration.of_charm(_options(args.charm)))
    if args.microk8s:
        parts.append(migration.of_ranges(args.microk8s, "--microk8s"))
    return parts


def _options(name: str) -> dict[str, str]:
    """Option -> value, of what juju config prints, or of a plain map. Raises Ended."""
    parsed = inputs.parsed(name)
    tree = plain(parsed.documents[0]) if parsed.documents else None
    options = tree.get("settings", tree) if isinstance(tree, dict) else None
    if not isinstance(options, dict):
        fail(name, "holds no options", "write what juju config metallb prints")
        raise Ended(WRONG_USAGE)
    return {key: _text(value) for key, value in options.items() if key not in ("application", "charm")}


def _text(option: object) -> str:
    value = option.get("value", "") if isinstance(option, Mapping) else option
    return "" if value is None else str(value)


# -- the cluster


def _of_cluster(settings: Settings) -> list[dict[str, Any]]:
    """What MetalLB has there. Raises Ended."""
    from speakerd.cli.cluster import asked  # noqa: PLC0415  files need no client
    from speakerd.kube import copying  # noqa: PLC0415

    return asked(settings, lambda client: copying.read(client, settings.kubernetes.namespace))


def _apply(objects: list[dict[str, Any]], settings: Settings) -> int:
    from speakerd.cli.cluster import asked  # noqa: PLC0415  files need no client
    from speakerd.kube import copying  # noqa: PLC0415

    outcomes = asked(settings, lambda client: copying.create(client, objects))
    for each in outcomes:
        print(f"{each.what}: {each.word}")
    return FINE if all(each.word in ("created", "there already") for each in outcomes) else NOT_VALID
