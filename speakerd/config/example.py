"""/etc/speakerd.yaml with every key at its default and what it is for; made from the settings' own types, pure."""

import json
import re
from collections.abc import Iterator

from msgspec import inspect

from speakerd.settings import Settings

HEAD = """\
# How speakerd runs on this host (/etc/speakerd.yaml). Every key stands here with its default; write those you change.
# Then come /etc/speakerd.d/*.yaml in name order (maps merge, lists replace), SPEAKERD_* of the environment
# (SPEAKERD_PATHS_STATE sets paths.state) and --set paths.state=... Check it with: speakerd check
# Times are written 60s, 12ms, 1m30s or 24h; a bare number is seconds.
"""
COMMENTS = 38
"""Column where they begin."""
WIDTH = 100
"""Columns; a longer list stands one entry a line."""
UNITS = ((3600, "h"), (1, "s"))
WORD = re.compile(r"(?!(?:true|false|yes|no|on|off|null)$)[A-Za-z/][\w/-]*")
"""What YAML reads as text without quotes, whoever reads it."""


PLAIN = Settings()
"""What counts where nothing is set."""


def example(defaults: Settings = PLAIN) -> str:
    """The file as text."""
    return HEAD + "\n".join(_section(inspect.type_info(Settings), defaults, 0)) + "\n"


def _section(wanted: inspect.Type, value: object, depth: int) -> Iterator[str]:
    assert isinstance(wanted, inspect.StructType)
    in_block = True
    for field in wanted.fields:
        own = getattr(value, field.name)
        if depth == 0 and in_block:
            yield ""
        in_block = isinstance(field.type, inspect.StructType)
        if in_block:
            yield f"{'  ' * depth}{field.encode_name}:"
            yield from _section(field.type, own, depth + 1)
        else:
            yield from _key(field.encode_name, field.type, own, "  " * depth)


def _key(name: str, wanted: inspect.Type, value: object, indent: str) -> Iterator[str]:
    assert isinstance(wanted, inspect.Metadata)
    assert wanted.extra_json_schema
    comment = f"# {wanted.extra_json_schema['description']}"
    line = f"{indent}{name}: {_shown(value)}"
    if isinstance(value, tuple) and len(line) > WIDTH:
        yield f"{indent}{name}:".ljust(COMMENTS) + comment
        yield from (f"{indent}  - {json.dumps(each)}" for each in value)
    else:
        yield f"{line:{COMMENTS - 1}} {comment}"


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return _time(value)
        case tuple():
            return f"[{', '.join(json.dumps(each) for each in value)}]"
        case str() if WORD.fullmatch(value):
            return value
    return json.dumps(value)


def _time(seconds: float) -> str:
    if seconds != int(seconds):
        return f"{seconds * 1000:.15g}ms"
    whole = int(seconds)
    size, unit = next(each for each in UNITS if whole % each[0] == 0)
    return f"{whole // size}{unit}" if whole else "0"
