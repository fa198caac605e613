"""Files that commands are given: settings and Kubernetes objects, told apart, with every fault in them."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from speakerd.config import document, file, legacy, manifests, secrets
from speakerd.config.document import Node
from speakerd.config.load import Loaded, settled
from speakerd.config.resources import ConfigMap, Metadata, Resources
from speakerd.model import Problem
from speakerd.settings import Settings

KINDS = "ipaddresspools,l2advertisements,bgppeers,bgpadvertisements,bfdprofiles,communities"
"""All that is configuration, as kubectl names it: where one is left out, what refers to it looks wrong."""
BYTES = 32 << 20
"""Of one input: the objects of a large cluster, and little enough to read in a minute."""
NODES = 2_000_000
"""Values of one input."""
ELSEWHERE = "localhost"
"""Node name while files are read that may be another host's."""


class Inputs(Struct, frozen=True):
    """What files hold together. `objects`: those that are no configuration (Services, Nodes, ...), as JSON has them.

    `config_map`: MetalLB's, where it counts: there is no resource.
    """

    loaded: Loaded
    resources: Resources
    config_map: ConfigMap | None = None
    objects: tuple[dict[str, object], ...] = ()

    @property
    def node_labels(self) -> dict[str, dict[str, str]] | None:
        """Labels of each Node by its name; None where no Node was given."""
        found = {}
        for each in self.objects:
            if (each.get("apiVersion"), each.get("kind")) == ("v1", "Node"):
                metadata = each.get("metadata")
                fields = metadata if isinstance(metadata, dict) else {}
                labels = fields.get("labels")
                found[str(fields.get("name", ""))] = labels if isinstance(labels, dict) else {}
        return found or None


def configure(parser: argparse.ArgumentParser, default: str) -> None:
    """The option that names them; `default` says what counts without it."""
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="settings or Kubernetes objects, YAML or JSON, - is standard input; may be given again"
        f" (default: {default})",
    )


def read(names: Iterable[str], host: Settings | None = None) -> Inputs:
    """The files `names`, - is standard input; later settings over earlier, as drop-ins.

    `host`: settings that say where MetalLB's objects are, in place of those given.
    """
    return _told_apart(map(parsed, names), host)


def of(texts: Iterable[tuple[str, bytes]], host: Settings) -> Inputs:
    """The same of texts that are at hand, each with the name of its source."""
    return _told_apart((document.parse(data, source, NODES) for source, data in texts), host)


def _told_apart(every: Iterable[document.Parsed], host: Settings | None) -> Inputs:
    trees: list[Node] = []
    problems: list[Problem] = []
    for found in every:
        trees += found.documents
        problems += found.problems
        settings = [each for each in found.documents if not manifests.is_object(each)]
        for extra in settings[1:]:
            what = "a settings file holds one document"
            problems.append(Problem(str(extra.at), "", "several-documents", what, "remove the --- before it"))
    objects = [each for each in trees if manifests.is_object(each)]
    loaded = settled([each for each in trees if not manifests.is_object(each)], (), ELSEWHERE)
    used = host or loaded.settings or Settings()
    read = manifests.read(objects, used.kubernetes.namespace)
    told = (*problems, *loaded.problems, *read.problems)
    given = _config_map(read.others, used)
    if given and (read.resources or file.resources(used)):
        where, what = legacy.place(given), "MetalLB's ConfigMap counts only where there is no resource"
        told = (*told, Problem(where, "", "not-honoured", what, "remove it, or the resources", "warning"))
        given = None
    resources = replace(read.resources, secrets=_secrets(read.others, used.kubernetes.namespace))
    return Inputs(Loaded(loaded.settings, told), resources, given, read.others)


def _secrets(objects: Iterable[dict[str, object]], namespace: str) -> dict[str, str]:
    """Of the Secrets among the objects that sessions may name: why each holds no password, "" where it does."""
    found = {}
    for each in objects:
        metadata = each.get("metadata")
        if each.get("kind") == "Secret" and isinstance(metadata, dict) and metadata.get("namespace") == namespace:
            kinds = [held for held in (each.get("data"), each.get("stringData")) if isinstance(held, dict)]
            keys = {str(key) for held in kinds for key in held}
            found[str(metadata.get("name"))] = secrets.fault(str(each.get("type", "")), keys)
    return found


def _config_map(objects: Iterable[dict[str, object]], settings: Settings) -> ConfigMap | None:
    """MetalLB's ConfigMap, if it is among the objects."""
    name, namespace = settings.kubernetes.config_map, settings.kubernetes.namespace
    for each in objects:
        metadata, data = each.get("metadata"), each.get("data")
        if each.get("kind") != "ConfigMap" or not isinstance(metadata, dict) or not isinstance(data, dict):
            continue
        if (metadata.get("namespace", namespace), metadata.get("name")) == (namespace, name):
            return ConfigMap(Metadata(name, namespace), {str(key): str(text) for key, text in data.items()})
    return None


def parsed(name: str) -> document.Parsed:
    """The documents of one file."""
    where = "standard input" if name == "-" else name
    try:
        if name == "-":
            data = sys.stdin.buffer.read(BYTES + 1)
        else:
            with Path(name).open("rb") as opened:
                data = opened.read(BYTES + 1)
    except OSError as fault:
        what = f"cannot be read: {fault.strerror}"
        return document.Parsed(problems=(_unreadable(where, what, "check path and permissions"),))
    if len(data) > BYTES:
        return document.Parsed(problems=(_unreadable(where, f"larger than {BYTES >> 20} MiB", "split it"),))
    return document.parse(data, where, NODES)


def _unreadable(where: str, what: str, remedy: str) -> Problem:
    return Problem(where, "", document.UNREADABLE, what, remedy)
