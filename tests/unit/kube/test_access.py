"""Credentials that change on disk are used once the API server has taken them; till then those before them are."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from speakerd.kube.cluster import Cluster
from speakerd.settings import Kubernetes, Settings
from tests.unit.kube.served import TOKEN, News, Served, served
from tests.unit.kube.test_credentials import kubeconfig


class Scene:
    """A kubeconfig that names a server, and who reads it."""

    def __init__(self, file: Path, there: Served) -> None:
        self.file, self.there, self.news = file, there, News()
        self.cluster = Cluster(Settings(kubernetes=Kubernetes(kubeconfig=str(file))), "me", self.news)

    def save(self, token: str, port: int = 0) -> None:
        server = {"server": f"http://127.0.0.1:{port or self.there.port}"}
        self.file.write_text(json.dumps(kubeconfig(server, {"token": token})))

    def look(self, later: float = 0.0) -> None:
        """As if `later` seconds had gone by."""
        self.cluster.look_out(time.monotonic() + later)

    @property
    def problem(self) -> str:
        return str(self.cluster.access.problem or "")

    @property
    def token(self) -> str:
        found = self.cluster.access.credentials
        return found.token.reveal if found else ""


@asynccontextmanager
async def scene(folder: Path, token: str = TOKEN) -> AsyncIterator[Scene]:
    async with served() as there:
        here = Scene(folder / "config", there)
        here.save(token)
        running = asyncio.create_task(here.cluster.run())
        await here.news.until(lambda: here.cluster.services.synced or here.cluster.services.error)
        yield here
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_token_that_was_rotated_on_disk_is_called_with_from_the_next_look_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path, "stale") as here:
            assert not here.cluster.services.synced
            assert here.cluster.services.error.startswith("401")
            here.save(TOKEN)
            here.look()
            await here.news.until(lambda: here.cluster.services.synced)
            assert (here.token, here.problem) == (TOKEN, "")

    asyncio.run(play())


def test_a_kubeconfig_that_breaks_changes_nothing_and_is_told_until_it_is_mended(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as here:
            here.file.write_text("{")
            here.look()
            assert here.problem.startswith(f"{here.file}: not YAML")
            assert here.token == TOKEN
            here.save(TOKEN)
            here.look()
            assert here.problem == ""

    asyncio.run(play())


def test_credentials_that_the_api_server_refuses_replace_none_that_it_takes(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as here:
            here.save("stale")
            here.look()
            await here.news.until(lambda: here.problem)
            assert "answers 401 Unauthorized" in here.problem
            assert here.problem.startswith(str(here.file))
            assert here.token == TOKEN
            assert not here.cluster.services.error
            here.save(TOKEN)
            here.look()
            assert here.problem == ""

    asyncio.run(play())


def test_credentials_of_a_server_that_does_not_answer_replace_none_whose_server_does(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as here:
            await here.news.until(lambda: all(each.synced for each in here.cluster.reflectors))
            here.save("other", port=1)
            here.look()
            await here.news.until(lambda: here.problem)
            assert "http://127.0.0.1:1 cannot be reached" in here.problem
            assert (here.token, here.cluster.services.error) == (TOKEN, "")

    asyncio.run(play())


def test_credentials_of_a_server_that_does_not_answer_are_used_where_those_before_them_do_not_work(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with scene(tmp_path, "stale") as here:
            here.save("other", port=1)
            here.look()
            await here.news.until(lambda: here.token == "other")
            assert here.problem == ""

    asyncio.run(play())


def test_the_last_token_is_called_with_where_its_file_has_gone(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as here:
            (tmp_path / "token").write_text(TOKEN)
            server = {"server": f"http://127.0.0.1:{here.there.port}"}
            here.file.write_text(json.dumps(kubeconfig(server, {"tokenFile": "token"})))
            here.look()
            await here.news.until(lambda: here.cluster.access.credentials and here.token == "")
            assert here.cluster.client
            assert (await here.cluster.client.request("GET", "/api/v1/services")).status == 200
            (tmp_path / "token").unlink()
            here.look()
            assert "tokenFile cannot be read" in here.problem
            assert (await here.cluster.client.request("GET", "/api/v1/services")).status == 200

    asyncio.run(play())
