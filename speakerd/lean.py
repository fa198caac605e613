"""Named parts of a large package, without what its __init__ would pull in.

pyroute2's costs 20 MB and 130 ms more than the two message classes we read, dpkt's 6 MB and 60 ms: too much for a
process that must answer 0.3 s after its start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType


def package(name: str) -> None:
    """Register `name` as a bare package, so that importing its submodules does not run its __init__.

    Does nothing where the package is imported already. Raises ModuleNotFoundError where it is not installed.
    """
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(name)
    bare = ModuleType(name)
    bare.__path__ = list(spec.submodule_search_locations)
    bare.__spec__ = spec
    sys.modules[name] = bare


@contextmanager
def hollow(name: str, *attributes: str) -> Iterator[None]:
    """Within the block, who imports `name` gets a module with these attributes, all None, unless it is loaded already.

    For what a library imports, names, and does not use in the parts that we take.
    """
    if name in sys.modules:
        yield
        return
    empty = ModuleType(name)
    for each in attributes:
        setattr(empty, each, None)
    sys.modules[name] = empty
    try:
        yield
    finally:
        del sys.modules[name]
