"""Requests and watches over real sockets, against the embedded API server."""

import asyncio
import json
import ssl
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from speakerd.kube.client import CONNECTIONS, LINE_BYTES, Lines, TooLarge, Unreachable, Withheld
from speakerd.kube.credentials import CredentialsProblem, Hidden
from speakerd.kube.http import Connection, Target
from tests.unit.kube.served import LEASES, SERVICE, SERVICES, TOKEN, Served, served, turned


def test_what_the_api_answers_is_a_response_errors_too() -> None:
    async def scene() -> None:
        async with served() as here:
            made = await here.create(LEASES, "one")
            again = await here.create(LEASES, "one")
        assert made.status == 201
        assert (again.status, again.reason) == (
            409,
            'AlreadyExists: leases.coordination.k8s.io "one" already exists',
        )

    asyncio.run(scene())


def test_one_connection_serves_request_after_request() -> None:
    async def scene() -> None:
        async with served() as here:
            for _ in range(5):
                await here.client.request("GET", LEASES)
            assert here.client.connections == 1
            assert len(here.server.connections) == 1

    asyncio.run(scene())


def test_many_requests_at_once_share_four_connections() -> None:
    async def scene() -> None:
        async with served() as here:
            answers = await asyncio.gather(*(here.create(LEASES, f"lease-{number}") for number in range(40)))
            assert {each.status for each in answers} == {201}
            assert here.client.connections <= CONNECTIONS

    asyncio.run(scene())


def test_a_connection_closed_while_it_idled_is_replaced_unseen() -> None:
    async def scene() -> None:
        async with served() as here:
            await here.client.request("GET", LEASES)
            for connection in list(here.server.connections):
                connection.abort()
            assert (await here.client.request("GET", LEASES)).status == 200

    asyncio.run(scene())


def test_a_request_cut_before_its_answer_is_sent_once_more() -> None:
    async def scene() -> None:
        async with served() as here:
            await here.client.request("GET", LEASES)
            here.faults(lose=1)
            assert (await here.create(LEASES, "one")).status == 409

    asyncio.run(scene())


def test_a_first_request_that_is_cut_is_not_repeated() -> None:
    async def scene() -> None:
        async with served() as here:
            here.faults(lose=1)
            with pytest.raises(Unreachable):
                await here.client.request("GET", LEASES)

    asyncio.run(scene())


def test_a_guard_holds_a_request_back_and_nothing_is_sent() -> None:
    async def scene() -> None:
        async with served() as here:
            with pytest.raises(Withheld):
                await here.client.request("POST", LEASES, b"{}", guard=lambda: False)
            assert not here.server.api.writes
            assert (await here.client.request("GET", LEASES)).status == 200
            assert here.client.connections == 1

    asyncio.run(scene())


def test_a_guard_is_asked_again_before_a_request_is_repeated() -> None:
    async def scene() -> None:
        async with served() as here:
            await here.client.request("GET", LEASES)
            here.faults(lose=1)
            asked = iter((True, False))
            with pytest.raises(Withheld):
                await here.client.request("POST", LEASES, b'{"metadata": {"name": "x"}}', guard=lambda: next(asked))

    asyncio.run(scene())


def test_a_wrong_token_is_an_answer() -> None:
    async def scene() -> None:
        async with served(token="another") as here:
            assert (await here.client.request("GET", LEASES)).reason == "Unauthorized: Unauthorized"

    asyncio.run(scene())


def test_a_server_that_wants_to_be_left_alone_says_for_how_long() -> None:
    async def scene() -> None:
        async with served() as here:
            here.faults(fail=1, code=429, retry_after=7)
            answer = await here.client.request("GET", LEASES)
            assert (answer.status, answer.retry_after) == (429, 7.0)

    asyncio.run(scene())


def test_a_refused_connection_is_unreachable() -> None:
    async def scene() -> None:
        async with served() as here:
            here.server.close()
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
                await here.client.request("GET", LEASES)
            assert here.client.connections == 0

    asyncio.run(scene())


def test_a_server_silent_for_longer_than_our_patience_is_given_up() -> None:
    async def scene() -> None:
        async with served() as here:
            here.faults(hang=5.0)
            connection = await Connection.open(Target("127.0.0.1", here.port, None, ""))
            with pytest.raises(Unreachable, match="silent"):
                await connection.request("GET", "/version", [(b"Host", b"x")], b"", 0.05)
            assert connection.closed

    asyncio.run(scene())


def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    async def scene() -> None:
        async with served() as here:
            here.faults(hang=5.0)
            task = asyncio.create_task(here.client.request("GET", LEASES))
            await turned(lambda: here.server.connections)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert here.client.connections == 0

    asyncio.run(scene())


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000]
)
def test_what_is_not_http_is_unreachable(garbage: bytes) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        writer.close()

    async def scene() -> None:
        async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = await Connection.open(Target("127.0.0.1", port, None, ""))
            with pytest.raises(Unreachable):
                await connection.request("GET", "/", [(b"Host", b"x")], b"", 5.0)

    asyncio.run(scene())


async def _watched(here: Served, count: int) -> list[list[bytes]]:
    """What a watch hands over until `count` lines have come, call by call."""
    calls: list[list[bytes]] = []
    enough = asyncio.Event()

    def take(lines: list[bytes]) -> None:
        calls.append(lines)
        if sum(map(len, calls)) >= count:
            enough.set()

    watch = asyncio.create_task(here.client.watch(f"{SERVICES}?watch=1&resourceVersion=0", take, 5.0))
    await turned(lambda: here.server.watches)
    for number in range(count):
        await here.create(SERVICES, f"web-{number}", SERVICE)
    await enough.wait()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    return calls


def test_a_watch_begins_with_no_lines_and_then_hands_over_whole_ones_in_order() -> None:
    async def scene() -> None:
        async with served() as here:
            first, *calls = await _watched(here, 20)
            names = [json.loads(line)["object"]["metadata"]["name"] for lines in calls for line in lines]
            assert first == []
            assert names == [f"web-{number}" for number in range(20)]
            assert here.client.connections == 1

    asyncio.run(scene())


def test_lines_come_whole_however_the_stream_is_cut() -> None:
    for size in range(1, 12):
        calls: list[list[bytes]] = []
        lines = Lines(calls.append)
        data = b"one\ntwo\n\nthree\nfo"
        for start in range(0, len(data), size):
            lines.feed(data[start : start + size])
        assert [line for call in calls for line in call] == [b"one", b"two", b"three"]


def test_lines_that_arrive_together_are_handed_over_together() -> None:
    calls: list[list[bytes]] = []
    Lines(calls.append).feed(b"one\ntwo\nth")
    assert calls == [[b"one", b"two"]]


def test_a_line_without_end_is_bounded() -> None:
    lines = Lines(lambda _: None)
    lines.feed(b"x" * LINE_BYTES)
    with pytest.raises(TooLarge):
        lines.feed(b"x")


def certified(folder: Path, *names: str) -> Path:
    """A folder with cert.pem and key.pem: a certificate for `names`, signed by itself."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "key.pem"))
    subject = ("-subj", "/CN=test", "-addext", "subjectAltName=" + ",".join(names))
    command = ["openssl", "req", "-x509", *key, *subject, "-days", "9", "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certified(tmp_path_factory.mktemp("pki"), "IP:127.0.0.1", "DNS:kube.test")


def _server_side(pki: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "cert.pem", pki / "key.pem")
    return context


@pytest.mark.parametrize("name", ["", "kube.test"])
def test_tls_works_by_address_and_by_the_name_it_is_told(pki: Path, name: str) -> None:
    async def scene() -> None:
        async with served(tls=_server_side(pki), ca=(pki / "cert.pem").read_text(), name=name) as here:
            answers = await asyncio.gather(*(here.create(LEASES, f"lease-{number}") for number in range(8)))
            assert {each.status for each in answers} == {201}
            big = await here.create(SERVICES, "big", SERVICE | {"padding": "x" * 300_000})
            assert len(big.body) > 300_000

    asyncio.run(scene())


def test_a_certificate_of_another_name_is_refused(pki: Path) -> None:
    async def scene() -> None:
        async with served(tls=_server_side(pki), ca=(pki / "cert.pem").read_text(), name="other.test") as here:
            with pytest.raises(Unreachable, match=r"certificate of other\.test"):
                await here.client.request("GET", LEASES)

    asyncio.run(scene())


def test_a_certificate_nobody_vouches_for_is_refused(pki: Path, tmp_path: Path) -> None:
    other = certified(tmp_path, "IP:127.0.0.1")

    async def scene() -> None:
        async with served(tls=_server_side(pki), ca=(other / "cert.pem").read_text()) as here:
            with pytest.raises(Unreachable, match="certificate"):
                await here.client.request("GET", LEASES)

    asyncio.run(scene())


def test_other_credentials_count_for_the_next_request_and_open_no_old_connection_again() -> None:
    async def scene() -> None:
        async with served(token="stale") as here:
            refused = await here.client.request("GET", LEASES)
            here.client.use(replace(here.client.credentials, token=Hidden(TOKEN)))
            answered = await here.client.request("GET", LEASES)
            assert (refused.status, answered.status) == (401, 200)
            assert here.client.connections == 1

    asyncio.run(scene())


def test_other_credentials_end_a_watch_so_that_it_begins_again_by_them() -> None:
    async def scene() -> None:
        async with served() as here:
            begun = asyncio.Event()
            watch = asyncio.create_task(
                here.client.watch(f"{LEASES}?watch=true&resourceVersion=1", lambda _: begun.set(), 60.0)
            )
            await begun.wait()
            here.client.use(replace(here.client.credentials, token=Hidden("another")))
            with pytest.raises(Unreachable, match="other credentials"):
                await watch
            assert here.client.connections == 0

    asyncio.run(scene())


def test_a_request_under_way_ends_by_the_credentials_it_began_with() -> None:
    async def scene() -> None:
        async with served() as here:
            await here.client.request("GET", LEASES)
            under_way = asyncio.create_task(here.create(LEASES, "one"))
            await turned(lambda: not here.client.idle)
            here.client.use(replace(here.client.credentials, token=Hidden("another")))
            assert (await under_way).status == 201
            assert here.client.connections == 0

    asyncio.run(scene())


def test_credentials_that_cannot_be_used_change_nothing() -> None:
    async def scene() -> None:
        async with served() as here:
            before = here.client.credentials
            with pytest.raises(CredentialsProblem):
                here.client.use(replace(before, tls=True, ca="no certificate"))
            assert here.client.credentials is before
            assert (await here.client.request("GET", LEASES)).status == 200

    asyncio.run(scene())
