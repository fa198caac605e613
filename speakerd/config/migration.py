"""What a MetalLB installation was told -> resources and settings that mean the same, and what is lost; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from speakerd.config import document, legacy
from speakerd.config.addresses import iprange_faults, items
from speakerd.config.lastgood import KINDS
from speakerd.config.manifests import LOST
from speakerd.config.reader import plain
from speakerd.config.resources import (
    BGPPeer,
    ConfigMap,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
    Resources,
)
from speakerd.config.words import SUBDOMAIN
from speakerd.model import Problem

NAME_LENGTH = 63
SHORTHAND = "default"
USUAL_NODES = "kubernetes.io/os=linux"
"""The charm's default for node-selector: every node."""
LEVELS = {"all": "debug", "debug": "debug", "info": "info", "warn": "warning", "error": "error", "none": "error"}
FLAGS: Mapping[str, tuple[str, ...]] = {
    "lb-class": ("kubernetes", "loadBalancerClass"),
    "namespace": ("kubernetes", "namespace"),
    "config": ("kubernetes", "configMap"),
    "ml-bindaddr": ("membership", "bind"),
    "ml-bindport": ("membership", "port"),
    "log-level": ("log", "level"),
}
"""Flags of MetalLB's containers -> keys of the settings file."""
LOST_FLAGS: Mapping[str, str] = {
    "ignore-exclude-lb": "remove the label that excludes a node, or set nodeSelectors",
    "ml-wan-config": "set membership.preset: wide",
    "webhook-mode": "schemas and CEL rules of `speakerd crds` refuse what webhooks did",
    "tls-min-version": "set http.metrics.certFile and keyFile",
    "tls-cipher-suites": "set http.metrics.certFile and keyFile",
    "metrics-cert-dir": "set http.metrics.certFile and keyFile",
    "bgp-debounce-timeout": "changes reach routers at once",
    "frrk8s-namespace": "no FRR is needed",
}
WITHOUT_EFFECT = frozenset(
    "port node-name host ml-labels ml-secret-key-path ml-secret-name deployment pod-name pprof-bind-address"
    " health-probe-port disable-cert-rotation cert-dir cert-service-name webhook-secret webhook-http2".split()
)
"""Flags that nothing is lost with: pods, certificates and ports of MetalLB's own."""


class Migration(Struct, frozen=True):
    """What carries over. `settings`: for /etc/speakerd.yaml, beside the resources; `problems`: what does not."""

    resources: Resources = Resources()
    settings: Mapping[str, Any] = {}
    problems: tuple[Problem, ...] = ()


def of_ranges(text: str, source: str, nodes: str = "") -> Migration:
    """A pool and its announcement, of the charm's iprange or microk8s' argument; `nodes`: k=v, separated by spaces."""
    faults = tuple(Problem(source, "", "malformed-address", what, remedy) for what, remedy in iprange_faults(text))
    if not text.strip():
        faults = (Problem(source, "", "missing-key", "iprange must not be empty", "write 192.0.2.10-192.0.2.20"),)
    if faults:
        return Migration(problems=faults)
    labels = dict(each.split("=", 1) for each in nodes.split() if "=" in each and each != USUAL_NODES)
    selectors = (LabelSelector(labels),) if labels else ()
    pool = IPAddressPool(Metadata(SHORTHAND), IPAddressPoolSpec(items(text)))
    spec = L2AdvertisementSpec((SHORTHAND,), node_selectors=selectors)
    return Migration(Resources((pool,), (L2Advertisement(Metadata(SHORTHAND), spec),)))


def of_charm(options: Mapping[str, str]) -> Migration:
    """The options of the Juju charm metallb."""
    found = of_ranges(options.get("iprange", ""), "iprange", options.get("node-selector", ""))
    lost = {
        "image-registry": "speakerd is a program of the host, no image",
        "metallb-release": "the release is the snap's or the package's",
    }
    problems = [_lost(name, "an option of the charm", why) for name, why in lost.items() if options.get(name)]
    namespace = options.get("namespace", "")
    settings = {"kubernetes": {"namespace": namespace}} if namespace not in ("", "metallb-system") else {}
    return Migration(found.resources, settings, (*found.problems, *problems))


def of_config_map(found: ConfigMap) -> Migration:
    """The legacy ConfigMap; names that Kubernetes would not take become such as it does."""
    old = legacy.read(found)
    names = _names(each.metadata.name for each in old.resources.pools)
    profiles = _names(each.metadata.name for each in old.resources.bfd_profiles)
    made = old.resources
    resources = replace(
        made,
        pools=tuple(_renamed(each, names) for each in made.pools),
        advertisements=tuple(_repointed(each, names) for each in made.advertisements),
        routes=tuple(_repointed(each, names) for each in made.routes),
        bfd_profiles=tuple(_renamed(each, profiles) for each in made.bfd_profiles),
        peers=tuple(_with_profile(each, profiles) for each in made.peers),
        places={},
    )
    where, annotation = legacy.place(found), "change annotation metallb.io/address-pool of Services that name it"
    told = [*_renamings(where, "address-pools", names, annotation)]
    told += _renamings(where, "bfd-profiles", profiles, "nothing: peers name it so as well")
    return Migration(resources, problems=(*old.problems, *told))


def _renamings(where: str, field: str, names: Mapping[str, str], remedy: str) -> Iterator[Problem]:
    for before, after in names.items():
        if before != after:
            what = f"{before} is called {after}: Kubernetes would not take its name"
            yield Problem(where, field, "renamed", what, remedy, "warning")


def _names(given: Iterable[str]) -> dict[str, str]:
    """Names of Kubernetes' form, each another; those that have it already stay as they are."""
    given = [*given]
    found = {name: name for name in given if SUBDOMAIN.fullmatch(name) and len(name) <= NAME_LENGTH}
    taken = set(found)
    for name in given:
        if name in found:
            continue
        plain = _name(name)
        numbered = (plain if i == 1 else f"{plain[: NAME_LENGTH - 4]}-{i}" for i in count(1))
        found[name] = next(each for each in numbered if each not in taken)
        taken.add(found[name])
    return {name: found[name] for name in given}


def _name(text: str) -> str:
    """The nearest name of Kubernetes' form."""
    labels = (re.sub(r"[^a-z0-9-]", "-", label).strip("-") for label in text.lower().split("."))
    return ".".join(filter(None, labels))[:NAME_LENGTH].strip("-.") or SHORTHAND


def _renamed(each: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401  a pool or a profile
    return replace(each, metadata=Metadata(names[each.metadata.name]))


def _with_profile(each: BGPPeer, names: Mapping[str, str]) -> BGPPeer:
    profile = each.spec.bfd_profile
    return replace(each, spec=replace(each.spec, bfd_profile=names.get(profile, profile)))


def _repointed(each: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401  an advertisement of either kind
    pools = tuple(names.get(pool, pool) for pool in each.spec.ip_address_pools)
    return replace(each, spec=replace(each.spec, ip_address_pools=pools))


# -- what stands beside the resources


def of_installation(objects: Iterable[Mapping[str, Any]]) -> Migration:
    """MetalLB's other ConfigMaps, and the flags of its containers."""
    settings: dict[str, Any] = {}
    problems: list[Problem] = []
    for each in objects:
        name = str(_map(each.get("metadata")).get("name", ""))
        text = _map(each.get("data")).get("excludel2.yaml")
        if each.get("kind") == "ConfigMap" and name in LOST:
            problems.append(_lost(f"ConfigMap/{name}", *LOST[name]))
        elif each.get("kind") == "ConfigMap" and isinstance(text, str):
            _exclude(f"ConfigMap/{name}", text, settings, problems)
        elif each.get("kind") in ("Deployment", "DaemonSet"):
            for flag, value in _flags(each):
                _flag(f"{each['kind']}/{name}", flag, value, settings, problems)
    return Migration(settings=settings, problems=tuple(problems))


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _exclude(where: str, text: str, settings: dict[str, Any], problems: list[Problem]) -> None:
    """Interfaces never to announce on."""
    parsed = document.parse(text.encode(), where)
    problems += parsed.problems
    for tree in parsed.documents:
        patterns = _list(_map(plain(tree)).get("announcedInterfacesToExclude"))
        if patterns:
            settings.setdefault("layer2", {})["excludeInterfaces"] = [str(pattern) for pattern in patterns]


def _flags(workload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of each, written in one word or in two."""
    spec = _map(_map(_map(workload.get("spec")).get("template")).get("spec"))
    for container in map(_map, _list(spec.get("containers"))):
        if container.get("name") not in ("speaker", "controller"):
            continue
        words = [str(each) for each in _list(container.get("args"))]
        for i, word in enumerate(words):
            name, equals, value = word.lstrip("-").partition("=")
            following = words[i + 1] if i + 1 < len(words) else "-"
            if word.startswith("-"):
                yield name, value if equals or following.startswith("-") else following


def _flag(where: str, name: str, value: str, settings: dict[str, Any], problems: list[Problem]) -> None:
    if name in WITHOUT_EFFECT or "$(" in value:
        return
    if name not in FLAGS:
        problems.append(_lost(f"{where} --{name}", "a flag of MetalLB", LOST_FLAGS.get(name, "it has no counterpart")))
        return
    section, key = FLAGS[name]
    if name == "log-level":
        value = LEVELS.get(value, "info")
    if name == "ml-bindport" and not (value.isdecimal() and 0 < int(value[:6]) < 1 << 16):
        problems.append(Problem(f"{where} --{name}", "", "out-of-range", f"{value} is no port", "set membership.port"))
        return
    settings.setdefault(section, {})[key] = int(value) if name == "ml-bindport" else value


def _lost(where: str, what: str, instead: str) -> Problem:
    return Problem(where, "", "not-carried-over", f"{what} cannot be carried over", instead, "warning")


# -- together


def together(found: Iterable[Migration]) -> Migration:
    """All of it; settings of one section are merged."""
    parts = [*found]
    settings: dict[str, Any] = {}
    for part in parts:
        for section, keys in part.settings.items():
            settings[section] = {**settings.get(section, {}), **keys}
    fields: dict[str, Any] = {
        field: tuple(each for part in parts for each in getattr(part.resources, field)) for field in KINDS
    }
    return Migration(Resources(**fields), settings, tuple(each for part in parts for each in part.problems))
