"""Bytes from strangers: a reader that checks what is left before each read, and the error it raises."""

from struct import Struct
from typing import Any

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises where bytes are not what is expected, no text, or nested deeper than it follows."""


class DecodeError(ValueError):
    """Bytes that are not what they claim to be; the sender's fault, counted and dropped."""


class Reader:
    """A cursor over `data`; every read that wants more than is left raises DecodeError."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size < 0 or size > self.left:
            raise DecodeError(f"{size} bytes wanted, {self.left} left")
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    def unpack(self, form: Struct) -> tuple[Any, ...]:
        """The next fields in the form of `form`."""
        if form.size > self.left:
            raise DecodeError(f"{form.size} bytes wanted, {self.left} left")
        self._at += form.size
        return form.unpack_from(self._data, self._at - form.size)
