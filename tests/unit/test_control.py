"""A question over the control socket gets one answer; a bad one gets an error, and nobody hangs."""

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from speakerd.control import REFUSED, Answer, NoAgent, Refusal, Request, ask, serve


async def _answer(request: Request) -> object:
    return {"asked": request.verb}


def born(path: Path) -> int:
    return path.stat().st_ctime_ns if path.exists() else 0


def against_server(path: Path, question: Callable[[], bytes], answer: Answer = _answer) -> bytes:
    async def scene() -> bytes:
        before = born(path)
        server = asyncio.create_task(serve(path, answer))
        while born(path) == before:  # noqa: ASYNC110  the socket's file is the event
            await asyncio.sleep(0)
        told = await asyncio.to_thread(question)
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        return told

    return asyncio.run(scene())


def raw(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(path))
        peer.sendall(line)
        peer.shutdown(socket.SHUT_WR)
        return peer.recv(1000)


def test_a_question_gets_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    answer = against_server(path, lambda: ask(path, Request("status")))
    assert msgspec.json.decode(answer) == {"asked": "status"}


def test_a_socket_left_by_a_predecessor_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(NoAgent):
        ask(path, Request("status"))
    assert against_server(path, lambda: ask(path, Request("status")))


@pytest.mark.parametrize(
    "line", [b"\n", b"{\n", b'{"verb": 3}\n', b'{"verb": "x", "more": 1}\n', b"\xff\n", b"[]", b'{"verb": "\xff"}\n']
)
def test_an_unreadable_request_is_told_so(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "control.sock"
    assert b"unreadable request" in against_server(path, lambda: raw(path, line))


def test_what_is_asked_about_arrives_with_the_question(tmp_path: Path) -> None:
    path, asked = tmp_path / "control.sock", Request("events", what="x", after=7, since="2026")
    assert msgspec.json.decode(against_server(path, lambda: ask(path, asked), echo)) == msgspec.to_builtins(asked)


async def echo(request: Request) -> object:
    return request


def test_an_agent_that_ends_in_the_middle_of_its_answer_has_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b'{"drained": tr')

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoAgent, match="in the middle"):
            ask(path, Request("drain"))
        thread.join()


def test_a_refusal_is_told_by_its_first_word() -> None:
    assert msgspec.json.encode(Refusal("no", "x", "y")).startswith(REFUSED)


def test_an_endless_request_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    def endless() -> bytes:
        try:
            return raw(path, b"x" * 100_000)
        except ConnectionResetError:  # what the kernel says where the other end leaves bytes unread
            return b""

    assert against_server(path, endless) == b""


def test_without_an_agent_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoAgent, match="No such file"):
        ask(tmp_path / "control.sock", Request("status"))
