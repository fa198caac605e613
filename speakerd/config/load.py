"""Settings files, environment and flags -> Settings, or all that is wrong with them; only `load` touches the world."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import UNSET, Struct, inspect, structs

from speakerd import snap
from speakerd.config import checks, document
from speakerd.config.document import Node, Place, Scalar
from speakerd.config.reader import Homes, Reader
from speakerd.config.sources import File, Sources
from speakerd.config.words import nearest
from speakerd.model import Problem
from speakerd.settings import Paths, Settings

PREFIX = "SPEAKERD_"


class Loaded(Struct, frozen=True):
    """`settings` None: there are problems of severity error; warnings may stand beside settings."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()


class Key(Struct, frozen=True):
    """A key that environment and flags can set: its path and type."""

    path: tuple[str, ...]
    type: inspect.Type

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + "_".join(self.path).upper()


def load(sources: Sources) -> Loaded:
    """The settings of this host as its files, environment and flags are now."""
    loaded = loaded_from(sources.files(), sources.environ, sources.flags, sources.hostname)
    ignored = (
        Problem(name, "", "not-read", "only *.yaml is read here", "name it *.yaml", "warning")
        for name in sources.passed_over()
    )
    return Loaded(loaded.settings, (*loaded.problems, *ignored))


def control_socket(environ: Mapping[str, str]) -> Path:
    """Where this host's agent listens; where its settings cannot be read, where it would by default."""
    settings = load(Sources(environ=environ)).settings
    own = snap.inside(environ)
    usual = own.run if own else Paths().run
    folder = settings.paths.run if settings else environ.get("SPEAKERD_PATHS_RUN") or usual
    return Path(folder) / "control.sock"


def loaded_from(
    files: Iterable[File], environ: Mapping[str, str], flags: Sequence[tuple[str, str]], hostname: str
) -> Loaded:
    """The settings: each source over those before it, flags last. `hostname`: what node.name is without a setting."""
    trees, problems = _trees(files)
    trees = [*_of_the_snap(environ), *trees]
    for found in (from_environment(environ), from_flags(flags)):
        trees, problems = [*trees, *found[0]], [*problems, *found[1]]
    return settled(trees, problems, hostname)


def _of_the_snap(environ: Mapping[str, str]) -> Iterable[Node]:
    """Where the sandbox lets files be written; settings may still say otherwise."""
    if own := snap.inside(environ):
        at = Place("the snap")
        paths = {"state": own.state, "run": own.run}
        entries: dict[str, tuple[Place, Node]] = {
            key: (at, Scalar(text, plain=False, at=at)) for key, text in paths.items()
        }
        yield document.Mapping({"paths": (at, document.Mapping(entries, at))}, at)


def settled(trees: Sequence[Node], problems: Sequence[Problem], hostname: str) -> Loaded:
    """The settings that `trees` come to, later over earlier; `problems`: what was found while reading them.

    Each is checked by itself too: a fault that a later source covers would come to light when that one goes.
    """
    found = list(problems)
    for tree in trees:
        alone = Reader(homes=HOMES)
        alone.read(tree, Settings)
        found += alone.problems
    if _errors(found):
        return Loaded(None, tuple(found))
    reader = Reader(homes=HOMES)
    settings = reader.read(merged(trees), Settings)
    assert settings is not UNSET
    if not settings.node.name:
        settings = structs.replace(settings, node=structs.replace(settings.node, name=hostname.lower()))
    found += checks.problems(settings, reader.places)
    return Loaded(None if _errors(found) else settings, tuple(found))


def _errors(problems: Iterable[Problem]) -> bool:
    return any(each.severity == "error" for each in problems)


def _trees(files: Iterable[File]) -> tuple[list[Node], list[Problem]]:
    trees: list[Node] = []
    problems: list[Problem] = []
    for file in files:
        if file.fault:
            problems.append(Problem(file.name, "", document.UNREADABLE, file.fault, file.remedy))
            continue
        parsed = document.parse(file.data, file.name)
        problems += parsed.problems
        trees += parsed.documents[:1]
        for extra in parsed.documents[1:]:
            what = "a settings file holds one document"
            problems.append(Problem(str(extra.at), "", "several-documents", what, "remove the --- before it"))
    return trees, problems


def merged(trees: Iterable[Node]) -> Node:
    """Maps merge, everything else is replaced by what comes later; a key without a value changes nothing."""
    result: Node = document.Mapping({}, Place("settings"))
    for tree in trees:
        result = _over(result, tree)
    return result


def _over(below: Node, above: Node) -> Node:
    if isinstance(above, Scalar) and above.null:
        return below
    if not (isinstance(below, document.Mapping) and isinstance(above, document.Mapping)):
        return above
    entries = dict(below.entries)
    for key, (at, node) in above.entries.items():
        entries[key] = (at, _over(entries[key][1], node) if key in entries else node)
    return document.Mapping(entries, above.at)


def from_environment(environ: Mapping[str, str]) -> tuple[list[Node], list[Problem]]:
    """SPEAKERD_PATHS_STATE sets paths.state, and so on.

    An unknown variable is a warning, not an error: Kubernetes and others put variables of their own making there.
    """
    known = {key.variable: key for key in KEYS}
    trees: list[Node] = []
    problems: list[Problem] = []
    for name, text in sorted(environ.items()):
        if key := known.get(name):
            trees.append(_tree(key, text, name, problems))
        elif name.startswith(PREFIX):
            guess = nearest(name, known)
            remedy = f"did you mean {guess}?" if guess else "unset it"
            what = f"{name} sets no key"
            problems.append(Problem("environment", name, "unknown-key", what, remedy, "warning"))
    return trees, problems


def from_flags(flags: Sequence[tuple[str, str]]) -> tuple[list[Node], list[Problem]]:
    """`--set paths.state=/x`, split at the sign."""
    known = {".".join(key.path): key for key in KEYS}
    trees: list[Node] = []
    problems: list[Problem] = []
    for name, text in flags:
        if key := known.get(name):
            trees.append(_tree(key, text, f"--set {name}", problems))
        else:
            guess = nearest(name, known)
            remedy = f"did you mean {guess}?" if guess else "speakerd check --example lists the keys"
            problems.append(Problem("command line", name, "unknown-key", f"unknown key {name!r}", remedy))
    return trees, problems


def _tree(key: Key, text: str, source: str, problems: list[Problem]) -> Node:
    """The key with its value, in the maps that lead there."""
    at = Place(source)
    node = _node(key.type, text, at, problems)
    for name in reversed(key.path):
        node = document.Mapping({name: (at, node)}, at)
    return node


def _node(wanted: inspect.Type, text: str, at: Place, problems: list[Problem]) -> Node:
    """Text as given for single values, YAML for the rest; lists may do without brackets: eth0,eth1."""
    if not isinstance(wanted, COLLECTIONS):
        return Scalar(text, plain=False, at=at)
    parsed = document.parse(text.encode("utf-8", "surrogateescape"), at.source)
    problems += parsed.problems
    node = parsed.documents[0] if parsed.documents else document.Sequence((), at)
    if isinstance(wanted, inspect.VarTupleType) and isinstance(node, Scalar):
        return document.Sequence(tuple(Scalar(each.strip(), plain=False, at=at) for each in text.split(",")), at)
    return node


COLLECTIONS = (inspect.StructType, inspect.VarTupleType, inspect.DictType)


def _keys(wanted: inspect.Type, path: tuple[str, ...] = ()) -> Iterable[Key]:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    if path:
        yield Key(path, wanted)
    if isinstance(wanted, inspect.StructType):
        for field in wanted.fields:
            yield from _keys(field.type, (*path, field.encode_name))


def _homes(keys: Iterable[Key]) -> Homes:
    homes: Homes = {}
    for key in keys:
        if len(key.path) > 1:
            homes.setdefault(key.path[-1], []).append(".".join(key.path[:-1]))
    return homes


KEYS = tuple(_keys(inspect.type_info(Settings)))
HOMES = _homes(KEYS)
