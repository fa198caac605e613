"""A value of any type that msgspec decodes, drawn by chance within what its fields may be."""

from random import Random
from typing import Any

from msgspec import inspect

MOST = 3
"""Members of a collection."""
DEEPEST = 8
"""Structs within structs, where a type holds itself."""


def sample(kind: Any, random: Random) -> Any:  # noqa: ANN401  of whatever type is asked for
    """A value as it stands in a message: plain data, structs as their arrays or maps."""
    return _drawn(inspect.type_info(kind), random, 0)


def _drawn(info: inspect.Type, random: Random, depth: int) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912  one a type
    match info:
        case inspect.StructType():
            return _struct(info, random, depth)
        case inspect.UnionType(types=types):
            plain = [each for each in types if isinstance(each, inspect.NoneType)] if depth > DEEPEST else []
            return _drawn(random.choice(plain or list(types)), random, depth)
        case inspect.IntType(ge=low, gt=above, le=high, lt=below):
            least = low if low is not None else above + 1 if above is not None else 0
            most = high if high is not None else below - 1 if below is not None else least + 1000
            return random.randint(least, most)
        case inspect.FloatType():
            return random.random()
        case inspect.BoolType():
            return random.random() < 0.5
        case inspect.StrType(min_length=low, max_length=high):
            return "n1.example"[: high or 8].ljust(low or 0, "x")
        case inspect.BytesType(min_length=low, max_length=high):
            sizes = [each for each in (4, 16, 8, 6, 0) if (low or 0) <= each <= (high or 16)]
            return random.randbytes(random.choice(sizes))
        case inspect.EnumType(cls=cls):
            return random.choice(list(cls)).value
        case inspect.LiteralType(values=values):
            return random.choice(list(values))
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return [_drawn(item, random, depth + 1) for _ in range(random.randrange(MOST + 1) * (depth < DEEPEST))]
        case inspect.TupleType(item_types=items):
            return [_drawn(item, random, depth + 1) for item in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_drawn(key, random, depth + 1): _drawn(value, random, depth + 1)}
        case inspect.NoneType():
            return None
    return {}


def _struct(info: inspect.StructType, random: Random, depth: int) -> Any:  # noqa: ANN401  array or map
    if info.array_like:
        return [_drawn(field.type, random, depth + 1) for field in info.fields]
    return {
        field.encode_name: _drawn(field.type, random, depth + 1)
        for field in info.fields
        if field.required or random.random() < 0.7
    }
