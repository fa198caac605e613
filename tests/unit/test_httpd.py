"""Probes and scrapers get their page; strangers, slow ones and those without a token get none."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from speakerd.httpd import CLIENTS, HEAD_BYTES, Httpd, Page
from speakerd.settings import Http, Metrics

Scene = Callable[["Served"], Coroutine[None, None, None]]


class Served:
    """A server at work; `port` of all pages, `other` of /metrics."""

    def __init__(self) -> None:
        self.port, self.other = _free_port(), _free_port()
        self.settings = Http(bind=f"127.0.0.1:{self.port}", metrics=Metrics(bind=f"127.0.0.1:{self.other}"))
        self.metrics = b"a 1\n"

    async def page(self) -> Page:
        return Page(self.metrics, content_type="text/plain; version=0.0.4")

    async def broken(self) -> Page:
        return Page(b"the announcer does not run\n", 503)

    def httpd(self) -> Httpd:
        return Httpd(self.settings, {"/metrics": self.page, "/readyz": self.broken})

    async def raw(self, data: bytes, *, other: bool = False, ca: Path | None = None) -> bytes:
        """All that is answered to these bytes."""
        context = ssl.create_default_context(cafile=ca) if ca else None
        port = self.other if other else self.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(data)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            await hung_up(writer)

    async def ask(
        self, path: str, headers: str = "", *, other: bool = False, ca: Path | None = None
    ) -> tuple[int, bytes]:
        """Status and body."""
        answer = await self.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode(), other=other, ca=ca)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(served: Served) -> AsyncIterator[Httpd]:
    httpd = served.httpd()
    task = asyncio.create_task(httpd.run())
    try:
        await until_listening(served.port)
        yield httpd
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def hung_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def until_listening(port: int) -> None:
    async with asyncio.timeout(5.0):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                return await hung_up(writer)


def play(story: Callable[[Served, Httpd], Coroutine[None, None, None]], served: Served | None = None) -> None:
    async def stage() -> None:
        here = served or Served()
        async with running(here) as httpd:
            await story(here, httpd)

    asyncio.run(stage())


def test_each_path_has_its_page_and_others_are_told_which_there_are() -> None:
    async def story(served: Served, _: Httpd) -> None:
        assert await served.ask("/metrics?x=1") == (200, b"a 1\n")
        assert await served.ask("/readyz") == (503, b"the announcer does not run\n")
        assert await served.ask("/etc/passwd") == (404, b"here are /metrics, /readyz\n")

    play(story)


def test_the_second_address_has_metrics_alone() -> None:
    async def story(served: Served, _: Httpd) -> None:
        assert await served.ask("/metrics", other=True) == (200, b"a 1\n")
        assert (await served.ask("/readyz", other=True))[0] == 404

    play(story)


def test_head_is_answered_without_a_body_and_other_methods_are_refused() -> None:
    async def story(served: Served, _: Httpd) -> None:
        answer = await served.raw(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"content-length: 4\r\n" in answer.lower()
        assert answer.endswith(b"\r\n\r\n")
        assert b" 405 " in await served.raw(b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    play(story)


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"a" * HEAD_BYTES, b"GET / HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_request_is_closed_and_harms_nobody(data: bytes) -> None:
    async def story(served: Served, _: Httpd) -> None:
        assert b"200" not in await served.raw(data + b"\r\n" * 2)
        assert (await served.ask("/metrics"))[0] == 200

    play(story)


def test_clients_beyond_the_limit_are_turned_away_and_served_when_others_have_gone() -> None:
    async def story(served: Served, _: Httpd) -> None:
        slow = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(CLIENTS)]
        assert await served.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        for each in slow:
            await hung_up(each[1])
        async with asyncio.timeout(5.0):
            while not await served.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
                pass

    play(story)


def test_with_a_token_file_only_who_bears_the_token_is_answered_and_a_new_one_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"secret\n")
    served = Served()
    served.settings = replace(served.settings, metrics=replace(served.settings.metrics, token_file=str(file)))

    async def story(served: Served, _: Httpd) -> None:
        assert (await served.ask("/metrics", other=True))[0] == 401
        assert (await served.ask("/metrics", "Authorization: Bearer wrong\r\n", other=True))[0] == 401
        assert (await served.ask("/metrics", "Authorization: Basic secret\r\n", other=True))[0] == 401
        assert (await served.ask("/metrics", "Authorization: Bearer secret\r\n", other=True))[0] == 200
        assert (await served.ask("/metrics"))[0] == 200
        file.write_bytes(b"renewed")
        assert (await served.ask("/metrics", "Authorization: Bearer secret\r\n", other=True))[0] == 401
        assert (await served.ask("/metrics", "Authorization: Bearer renewed\r\n", other=True))[0] == 200

    play(story, served)


def test_with_a_certificate_the_second_address_speaks_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    command = ["openssl", "req", "-x509", *new_key, "-out", str(cert), "-days", "1", *subject]
    subprocess.run(command, check=True, capture_output=True)
    served = Served()
    secured = replace(served.settings.metrics, cert_file=str(cert), key_file=str(key))
    served.settings = replace(served.settings, metrics=secured)

    async def story(served: Served, _: Httpd) -> None:
        assert await served.ask("/metrics", other=True, ca=cert) == (200, b"a 1\n")
        assert b"a 1" not in await served.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", other=True)

    play(story, served)


@pytest.mark.parametrize("missing", ["token_file", "cert_file"])
def test_an_address_whose_files_are_missing_is_told_and_not_served_open(tmp_path: Path, missing: str) -> None:
    served = Served()
    files = {missing: str(tmp_path / "none"), "key_file": str(tmp_path / "none")}
    served.settings = replace(served.settings, metrics=replace(served.settings.metrics, **files))

    async def story(served: Served, httpd: Httpd) -> None:
        with pytest.raises(ConnectionRefusedError):
            await served.ask("/metrics", other=True)
        assert httpd.problem == {f"127.0.0.1:{served.other}": "No such file or directory"}
        assert (await served.ask("/metrics"))[0] == 200

    play(story, served)


def test_a_port_that_is_taken_is_told_and_the_other_address_is_served() -> None:
    served = Served()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", served.other))
        taken.listen()

        async def story(served: Served, httpd: Httpd) -> None:
            assert "in use" in httpd.problem[f"127.0.0.1:{served.other}"]
            assert (await served.ask("/metrics"))[0] == 200

        play(story, served)


def test_new_settings_move_the_address() -> None:
    async def story(served: Served, httpd: Httpd) -> None:
        port = _free_port()
        httpd.apply(replace(served.settings, bind=f"127.0.0.1:{port}"))
        await until_listening(port)
        with pytest.raises(ConnectionRefusedError):
            await served.ask("/metrics")
        served.port = port
        assert (await served.ask("/metrics"))[0] == 200

    play(story)


def test_where_both_addresses_are_one_the_token_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"secret")
    served = Served()
    served.other = served.port
    served.settings = Http(
        bind=f"127.0.0.1:{served.port}", metrics=Metrics(bind=f"127.0.0.1:{served.port}", token_file=str(file))
    )

    async def story(served: Served, _: Httpd) -> None:
        assert (await served.ask("/metrics"))[0] == 401
        assert (await served.ask("/readyz", "Authorization: Bearer secret\r\n"))[0] == 404

    play(story, served)
