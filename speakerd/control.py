"""The control socket: one request line in, one JSON answer out; how `speakerd status` and others ask the agent."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from speakerd.wire import UNDECODABLE

REQUEST_BYTES = 4096
ANSWER_BYTES = 64 << 20
"""A status of 100,000 VIPs; beyond it something is wrong."""
PATIENCE = 10.0
"""Seconds for a request to arrive, and for an answer to be there."""
CLIENTS = 16
"""Clients at once; more wait in the kernel's backlog."""
MODE = 0o660


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a command asks for. `what`: an address, a Service or a node; `down`: nodes taken to be dead.

    `after`, `since`: only events of a higher number, and no older than that (RFC 3339 in UTC with milliseconds).
    """

    verb: str
    what: str = ""
    after: int = 0
    since: str = ""
    down: tuple[str, ...] = ()


class Refusal(msgspec.Struct):
    """The answer to what cannot be answered: what is wrong, with what, and the remedy."""

    error: str
    where: str = "speakerd"
    remedy: str = ""


REFUSED = b'{"error":'
"""How a Refusal begins, and nothing else."""


Answer = Callable[[Request], Awaitable[object]]


class NoAgent(Exception):
    """Nobody listens on the control socket, or gives a whole answer."""


class Denied(NoAgent):
    """Who asks may not."""


async def serve(path: Path, answer: Answer) -> None:
    """Answer requests on `path` until cancelled. Raises OSError where the socket cannot be made."""
    slots = asyncio.Semaphore(CLIENTS)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            try:
                async with asyncio.timeout(PATIENCE):
                    writer.write(await _answered(await reader.readline(), answer))
                    await writer.drain()
            except (TimeoutError, ConnectionError, ValueError):
                pass
            finally:
                writer.close()

    server = await asyncio.start_unix_server(client, sock=_listening(path), limit=REQUEST_BYTES)
    async with server:
        await server.serve_forever()


def _listening(path: Path) -> socket.socket:
    """A socket at `path`, in place of what a predecessor left there."""
    path.unlink(missing_ok=True)
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    end.bind(str(path))
    path.chmod(MODE)
    end.listen()
    return end


async def _answered(line: bytes, answer: Answer) -> bytes:
    try:
        request = msgspec.json.decode(line, type=Request)
    except UNDECODABLE as fault:
        refusal = Refusal(f"unreadable request: {fault}", remedy="the agent that runs is of another version")
        return msgspec.json.encode(refusal) + b"\n"
    return msgspec.json.encode(await answer(request)) + b"\n"


def ask(path: Path, request: Request) -> bytes:
    """The agent's JSON answer. Raises NoAgent; Denied where that is for want of rights."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(str(path))
            peer.sendall(msgspec.json.encode(request) + b"\n")
            answer = _everything(peer)
    except PermissionError as fault:
        raise Denied("permission denied") from fault
    except OSError as fault:
        raise NoAgent(fault.strerror or str(fault)) from fault
    if not answer.endswith(b"\n"):
        raise NoAgent("it ended in the middle of its answer")
    return answer


def _everything(peer: socket.socket) -> bytes:
    data = bytearray()
    while len(data) < ANSWER_BYTES and (piece := peer.recv(1 << 16)):
        data += piece
    return bytes(data)
