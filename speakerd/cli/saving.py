"""A file saved whole or not at all: who reads it sees the old one or the new one."""

import os
import tempfile
from pathlib import Path


def save(path: Path, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace `path`, even where it is a link; `owner`: user and group, if not ours. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            # Before it is another's: root without its capabilities may change the mode of its own files alone.
            os.fchmod(descriptor, mode)
            if owner:
                os.fchown(descriptor, *owner)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
