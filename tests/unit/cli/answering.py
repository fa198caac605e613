"""A stand-in for the running agent: a control socket, and answers as a function of the request."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from speakerd.control import NoAgent, Request, ask, serve

Answers = Callable[[Request], object]


@contextmanager
def agent(folder: Path, answers: Answers) -> Iterator[list[Request]]:
    """Answer on FOLDER/control.sock within the block; the requests that came."""
    asked: list[Request] = []

    async def answer(request: Request) -> object:
        if request.verb != "up":
            asked.append(request)
        return answers(request) if request.verb != "up" else {}

    loop = asyncio.new_event_loop()
    server = loop.create_task(serve(folder / "control.sock", answer))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(server)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not _up(folder / "control.sock"):
            pass
        yield asked
    finally:
        loop.call_soon_threadsafe(server.cancel)
        thread.join()
        loop.close()


def _up(path: Path) -> bool:
    with suppress(NoAgent):
        return bool(ask(path, Request("up")))
    return False
