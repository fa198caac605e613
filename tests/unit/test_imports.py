"""The architecture as a machine holds it: who may import whom, what stays pure, what the small processes load."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STOREYS = (
    {
        "",
        "commands",
        "connected",
        "deadlines",
        "decision",
        "difference",
        "digest",
        "exchange",
        "findings",
        "lean",
        "log",
        "model",
        "peering",
        "settings",
        "snap",
        "wire",
        "config.resources",
    },
    {
        "allocator",
        "annotations",
        "config",
        "kube.kept",
        "kube.objects",
        "occupancy",
        "ownership.ranking",
        "search",
        "sharing",
        "terms",
        "wish",
    }
    | {"bgp", "layer2.arp", "layer2.filter", "layer2.ndp", "layer2.schedule"}
    | {"membership.envelope", "membership.heartbeat", "membership.keys", "membership.ring", "ownership.message"},
    {
        "advertise",
        "aggregates",
        "bfd",
        "consent",
        "holders",
        "neighbours",
        "poolcounts",
        "prefixes",
        "routes",
        "kube.body",
        "kube.lease",
        "layer2.responder",
        "membership",
        "ownership",
        "snapshot",
        "status",
        "strangers",
        "vips",
    }
    | {"kube.meshkeys"},
    {
        "control",
        "decide",
        "diagnosis",
        "engine",
        "host",
        "kube",
        "kinds",
        "layer2",
        "link",
        "members",
        "mesh",
        "hold",
        "outbox",
    }
    | {
        "account",
        "bell",
        "board",
        "chronicle",
        "company",
        "conditions",
        "diary",
        "errands",
        "events",
        "explain",
        "gossip",
        "hearers",
        "httpd",
        "inheritance",
        "outlook",
    }
    | {"membership.transport", "metrics", "segments", "standing", "tally"}
    | {"apart", "life", "packet", "vigil", "privileges", "prospects", "report", "sd_notify", "selftest", "sessions"}
    | {"bfd.mirror", "bfd.neighbours", "bfd.part", "bfd.transport"},
    {"routers"},
    {"announcer", "controller"},
    {"supervisor"},
    {"cli", "__main__"},
)
"""From the ground up; a module imports from its own storey and those below. One without an entry is as its folder."""

PURE = frozenset(
    "advertise aggregates allocator annotations bfd bgp chronicle commands company conditions config consent deadlines"
    " decide decision diagnosis difference digest errands events exchange explain findings gossip hearers hold holders"
    " kinds members membership mesh metrics model neighbours occupancy outbox outlook ownership peering poolcounts"
    " prefixes prospects report routes search segments sessions settings sharing snap snapshot standing status"
    " strangers tally terms vigil vips wire wish kube.body kube.kept kube.l2status kube.lease kube.meshkeys"
    " kube.objects kube.records"
    " layer2.arp layer2.filter layer2.ndp layer2.responder layer2.schedule layer2.sieve".split()
)
IMPURE = frozenset(
    "bfd.mirror bfd.neighbours bfd.part bfd.transport bgp.discovery bgp.listening bgp.part bgp.tcp bgp.transport"
    " config.load config.sources membership.transport".split()
)

WORLD = frozenset(
    "asyncio concurrent logging mmap multiprocessing os pathlib random secrets select selectors shutil signal socket"
    " ssl structlog subprocess tempfile threading time uuid".split()
)
CLOCKS = frozenset({"now", "today", "utcnow"})

PROTOCOLS = frozenset("bfd bgp layer2 membership ownership".split())

TOO_LARGE = frozenset(
    "_hashlib asyncio dpkt.http email http json logging prometheus_client pyroute2.iproute ssl structlog urllib.request"
    " yaml".split()
)


def modules() -> dict[str, ast.Module]:
    """Name without the leading `speakerd.` -> syntax tree; the package itself is the empty name."""
    found = {}
    for path in sorted((ROOT / "speakerd").rglob("*.py")):
        parts = path.relative_to(ROOT / "speakerd").with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").removesuffix(".")] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def imports(tree: ast.Module) -> Iterator[str]:
    """The full name of every module it imports, at whatever depth; of a package's names only those that are modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("speakerd.") in MODULES else node.module


def ours(name: str) -> set[str]:
    """What module `name` imports of speakerd."""
    found = {each for each in imports(MODULES[name]) if each.partition(".")[0] == "speakerd"}
    return {each.removeprefix("speakerd").removeprefix(".") for each in found}


def listed(name: str, names: Collection[str]) -> str | None:
    """The entry of `names` that counts for module `name`: its own or its nearest folder's."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name if name in names else None


def storey(name: str) -> int:
    """How high module `name` stands."""
    entry = listed(name, set().union(*STOREYS) - {""} if name else {""})
    assert entry is not None, f"{name} has no place in STOREYS"
    return next(height for height, names in enumerate(STOREYS) if entry in names)


def pure(name: str) -> bool:
    return listed(name, PURE) is not None and name not in IMPURE


PURE_MODULES = [name for name in MODULES if pure(name)]


@pytest.mark.parametrize("entry", sorted(set().union(*STOREYS) | PURE | IMPURE))
def test_every_entry_names_a_module_or_a_folder(entry: str) -> None:
    assert any(f"{name}.".startswith(f"{entry}.") for name in MODULES) or not entry


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    above = {other for other in ours(name) if storey(other) > storey(name)}
    assert not above, f"{name} imports what stands above it: {above}"


def test_no_module_reaches_itself() -> None:
    TopologicalSorter({name: ours(name) for name in MODULES}).prepare()


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_modules_touch_no_world(name: str) -> None:
    world = {each for each in imports(MODULES[name]) if each.partition(".")[0] in WORLD}
    assert not world, f"{name} is pure and imports {world}"


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_modules_import_pure_modules(name: str) -> None:
    other = {each for each in ours(name) if each and not pure(each) and each != "lean"}
    assert not other, f"{name} is pure and imports {other}"


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_modules_ask_no_clock(name: str) -> None:
    calls = [node.func for node in ast.walk(MODULES[name]) if isinstance(node, ast.Call)]
    clocks = {ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS}
    assert not clocks, f"{name} is pure and asks {clocks}"


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_protocols_never_import_one_another(protocol: str) -> None:
    own = {name for name in MODULES if name.partition(".")[0] == protocol}
    met = {other for name in own for other in ours(name) if other.partition(".")[0] in PROTOCOLS - {protocol}}
    assert not met


def test_objects_of_the_api_meet_the_model_on_the_way_in_and_out_only() -> None:
    both = {name for name in MODULES if "kube.objects" in ours(name) and ours(name) & {"model", "exchange", "decision"}}
    assert both <= {
        "cli.world",
        "snapshot",
        "kube.bgpstatus",
        "kube.body",
        "kube.cluster",
        "kube.keykeeper",
        "kube.l2status",
        "kube.writer",
    }


def loaded(code: str) -> set[str]:
    """The modules a fresh Python holds after `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout.split()
    )


def test_the_controller_loads_what_scrapers_need_only_when_one_comes() -> None:
    assert "prometheus_client" not in loaded("import speakerd.controller")
    assert "prometheus_client" in loaded("import speakerd.metrics")


def test_announcer_and_supervisor_load_nothing_large() -> None:
    netlink = loaded(
        "from speakerd import lean\nlean.package('pyroute2')\nfrom pyroute2.netlink.rtnl import ifaddrmsg, ifinfmsg"
    )
    large = (loaded("import speakerd.announcer, speakerd.supervisor") & TOO_LARGE) - netlink
    assert not large
    assert "multiprocessing" not in loaded("import speakerd.announcer, speakerd.supervisor")


def test_the_controller_does_without_subprocess_and_what_reads_yaml() -> None:
    assert not loaded("import speakerd.controller") & {"subprocess", "_posixsubprocess", "yaml"}


def test_what_was_hollow_for_a_library_is_whole_for_others() -> None:
    assert "pickle" in loaded("import speakerd.host, multiprocessing.context")
    assert "_posixsubprocess" in loaded("import speakerd.controller, subprocess")
