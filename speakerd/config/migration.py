"""What a MetalLB installation was told -> resources and settings that mean the same, and what is lost; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from speakerd.config import legacy
from speakerd.config.addresses import iprange_faults, items
from speakerd.config.lastgood import KINDS
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
from speakerd.model import Problem

NAME_LENGTH = 63
SHORTHAND = "default"
USUAL_NODES = "kubernetes.io/os=linux"
"""The charm's default for node-selector: every node."""
LEVELS = {"all": "debug", "debug": "debug", "info": "info", "warn": "warning", "error": "error", "none": "error"}
LOST: Mapping[str, tuple[str, str]] = {
    "bgpextras": ("raw FRR settings", "say it with BGPPeer and BGPAdvertisement"),
    "metallb-memberlist-config": ("memberlist's own timers", "choose membership.preset: fast, normal or wide"),
}
"""ConfigMaps that have no counterpart: what they hold, and what to use instead."""
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
    names = {each.metadata.name: _name(each.metadata.name) for each in old.resources.pools}
    profiles = {each.metadata.name: _name(each.metadata.name) for each in old.resources.bfd_profiles}
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
    return Migration(resources, problems=(*old.problems, *_renamings(legacy.place(found), names)))


def _renamings(where: str, names: Mapping[str, str]) -> Iterator[Problem]:
    for before, after in names.items():
        if before != after:
            what = f"pool {before} is called {after}: Kubernetes would not take its name"
            remedy = "change annotation metallb.io/address-pool of Services that name it"
            yield Problem(where, "address-pools", "renamed", what, remedy, "warning")


def _name(text: str) -> str:
    """A name of Kubernetes' form."""
    return re.sub(r"[^a-z0-9.-]", "-", text.lower())[:NAME_LENGTH].strip("-.") or SHORTHAND


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
        name = str((each.get("metadata") or {}).get("name", ""))
        if each.get("kind") == "ConfigMap" and name in LOST:
            problems.append(_lost(f"ConfigMap/{name}", *LOST[name]))
        elif each.get("kind") == "ConfigMap" and "excludel2.yaml" in (each.get("data") or {}):
            _exclude(str(each["data"]["excludel2.yaml"]), settings)
        elif each.get("kind") in ("Deployment", "DaemonSet"):
            for flag, value in _flags(each):
                _flag(f"{each['kind']}/{name}", flag, value, settings, problems)
    return Migration(settings=settings, problems=tuple(problems))


def _exclude(text: str, settings: dict[str, Any]) -> None:
    """Interfaces never to announce on."""
    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    patterns = written.get("announcedInterfacesToExclude") if isinstance(written, dict) else None
    if isinstance(patterns, list):
        settings.setdefault("layer2", {})["excludeInterfaces"] = [str(pattern) for pattern in patterns]


def _flags(workload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    spec = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in spec.get("containers") or ():
        if container.get("name") not in ("speaker", "controller"):
            continue
        for argument in container.get("args") or ():
            name, _, value = str(argument).lstrip("-").partition("=")
            yield name, value


def _flag(where: str, name: str, value: str, settings: dict[str, Any], problems: list[Problem]) -> None:
    if name in WITHOUT_EFFECT or "$(" in value:
        return
    if name not in FLAGS:
        problems.append(_lost(f"{where} --{name}", "a flag of MetalLB", LOST_FLAGS.get(name, "it has no counterpart")))
        return
    section, key = FLAGS[name]
    if name == "log-level":
        value = LEVELS.get(value, "info")
    settings.setdefault(section, {})[key] = int(value) if value.isdecimal() else value


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
