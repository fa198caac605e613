"""Words people write: what an interface may be called, and what an unknown word was meant to be."""

import re
from collections.abc import Iterable

SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""RFC 1123 subdomain, as Kubernetes wants it of most names."""
INTERFACE = re.compile(r"[^\s/:]{1,15}")
"""What the kernel takes: IFNAMSIZ with its final zero is 16."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The word of `known` that `word` was probably meant to be, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415  most lives have no fault to explain

    plain = {_letters(each): each for each in known}
    close = get_close_matches(_letters(word.split(maxsplit=1)[0] if word.strip() else ""), plain, 1, 0.6)
    return plain[close[0]] if close else ""


def _letters(word: str) -> str:
    return re.sub("[-_.]", "", word).lower()
