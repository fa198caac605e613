"""In the machine: runs what is asked for on a serial port. A line of JSON in, {"number", "run", "timeout"}; one out."""

import json
import os
import subprocess
import sys
import tty
from collections.abc import Iterator

ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin",
}


def lines(port: int) -> Iterator[bytes]:
    """Each line that comes in."""
    kept = b""
    while data := os.read(port, 65536):
        *whole, kept = (kept + data).split(b"\n")
        yield from whole


def answer(line: bytes) -> dict[str, object]:
    """What came of one line; half a line, as is left by a caller who was cut off, has no number."""
    number = None
    try:
        asked = json.loads(line)
        number = asked["number"]
        done = subprocess.run(
            asked["run"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=asked["timeout"],
            check=False,
            cwd="/root",
            env=ENVIRONMENT,
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        code, out, err = 124, b"", str(late).encode()
    except (ValueError, KeyError, OSError) as fault:
        code, out, err = 127, b"", repr(fault).encode()
    return {"number": number, "code": code, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def main(where: str) -> None:
    """Answer for as long as the machine runs."""
    port = os.open(where, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port)
    for line in lines(port):
        data = json.dumps(answer(line)).encode() + b"\n"
        while data:
            data = data[os.write(port, data) :]


if __name__ == "__main__":
    main(sys.argv[1])
