"""ServiceBGPStatus says which peers with a session are told of a Service by this node, and no more than is so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace

from speakerd.decision import Plan
from speakerd.exchange import Observed, Wanted
from speakerd.kube import bgpstatus
from speakerd.kube.bgpstatus import BgpStatus, established, told
from speakerd.model import Node
from speakerd.peering import FLAPPING, Prefix, SessionSeen, Wording
from tests.embedded.kinds import crd
from tests.unit.kube.served import Served, served

PATH = "/apis/metallb.io/v1beta1/namespaces/default/servicebgpstatuses"
ME = Node("me", "uid-of-me")
NOTHING = Plan({}, Wanted("me", {}))


def plan(**told_of: tuple[str, ...]) -> Plan:
    """Each Service with an address of its own, which these peers are told."""
    found, routed = {}, {}
    for number, (name, peers) in enumerate(told_of.items()):
        ip = ip_address(f"10.0.0.{number}")
        prefix = Prefix(4, b"\x20" + ip.packed, ((Wording(), peers),))
        found[prefix.key] = prefix
        routed[f"ns/{name}", ip] = (prefix.key,)
    return Plan({}, Wanted("me", {}, prefixes=found), routed=routed)


def up(*peers: str) -> Observed:
    others = (SessionSeen("idle", "Idle", 1.0),)
    return Observed(sessions=(*others, *(SessionSeen(each, "Established", 1.0) for each in peers)))


def test_peers_count_while_their_session_stands_and_all_addresses_of_a_service_are_one() -> None:
    seen = plan(web=("spine", "tor"), db=("idle",))
    (raw,) = (key for (name, _), (key,) in seen.routed.items() if name == "ns/db")
    both = replace(seen, routed={**seen.routed, ("ns/web", ip_address("10.9.9.9")): (raw,)})
    assert told(seen, established(up("tor"))) == {"ns/web": ("tor",)}
    assert told(both, frozenset({"idle", "tor", "other"})) == {"ns/web": ("idle", "tor"), "ns/db": ("idle",)}
    assert told(seen, frozenset()) == {}


def test_a_peer_that_comes_and_goes_all_the_time_does_not_count_until_it_stays() -> None:
    flaps = SessionSeen("tor", "Established", 1.0, flaps=FLAPPING)
    assert established(Observed(sessions=(flaps,))) == frozenset()
    for stays in (replace(flaps, flaps=FLAPPING - 1), replace(flaps, flaps=0)):
        assert established(Observed(sessions=(stays,))) == {"tor"}


class Scene:
    def __init__(self, here: Served) -> None:
        self.here = here
        self.sink = BgpStatus(here.client, "default", "me", pause=0.0, rest=0.0, between=0.0)

    async def objects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((await self.here.client.request("GET", PATH)).body).get("items", [])
        return found

    async def until(self, *expected: tuple[str, list[str]]) -> list[dict[str, Any]]:
        """Wait for these Services with these peers."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while True:
                found = await self.objects()
                statuses = [each.get("status", {}) for each in found]
                if sorted((e.get("serviceName", ""), e.get("peers", [])) for e in statuses) == sorted(expected):
                    return found


@asynccontextmanager
async def scene(*, crds: bool = True) -> AsyncIterator[Scene]:
    async with served(crds=crds) as here:
        made = Scene(here)
        task = asyncio.create_task(made.sink.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_it_is_written_as_metallb_s_tools_read_it_follows_sessions_and_goes_with_the_last() -> None:
    async def story() -> None:
        async with scene() as here:
            wanted = plan(web=("spine", "tor"))
            here.sink.apply(wanted, up("spine", "tor"), ME)
            (found,) = await here.until(("web", ["spine", "tor"]))
            assert found["metadata"]["labels"] == {
                "metallb.io/node": "me",
                "metallb.io/service-name": "web",
                "metallb.io/service-namespace": "ns",
            }
            assert found["metadata"]["ownerReferences"][0]["uid"] == "uid-of-me"
            assert (found["status"]["node"], found["status"]["serviceNamespace"]) == ("me", "ns")
            here.sink.apply(wanted, up("tor"), ME)
            await here.until(("web", ["tor"]))
            here.sink.apply(wanted, up(), ME)
            await here.until()

    asyncio.run(story())


def test_what_another_life_wrote_is_kept_mended_or_deleted_and_other_nodes_objects_are_left_alone() -> None:
    async def story() -> None:
        async with scene() as here:
            here.sink.apply(plan(web=("tor",), gone=("tor",)), up("tor"), ME)
            other = BgpStatus(here.here.client, "default", "b", pause=0.0, rest=0.0, between=0.0)
            other.apply(plan(web=("tor",)), up("tor"), Node("b"))
            await other._turn()
            before = await here.until(("web", ["tor"]), ("web", ["tor"]), ("gone", ["tor"]))
            again = BgpStatus(here.here.client, "default", "me", pause=0.0, rest=0.0, between=0.0)
            again.apply(plan(web=("tor",)), up("tor"), ME)
            assert await again._turn()
            after = await here.until(("web", ["tor"]), ("web", ["tor"]))
            versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in before}
            assert all(versions[e["metadata"]["name"]] == e["metadata"]["resourceVersion"] for e in after)

    asyncio.run(story())


def test_an_object_that_somebody_deleted_is_created_again_upon_the_next_change() -> None:
    async def story() -> None:
        async with scene() as here:
            here.sink.apply(plan(web=("tor",)), up("tor"), ME)
            (found,) = await here.until(("web", ["tor"]))
            await here.here.client.request("DELETE", f"{PATH}/{found['metadata']['name']}")
            here.sink.apply(plan(web=("spine", "tor")), up("spine", "tor"), ME)
            await here.until(("web", ["spine", "tor"]))

    asyncio.run(story())


def test_without_the_kind_nothing_is_asked_again_and_again_unless_there_is_something_to_tell() -> None:
    async def story() -> None:
        async with served(crds=False) as here:
            sink = BgpStatus(here.client, "default", "me", between=0.0)
            sink.apply(NOTHING, up(), ME)
            assert await sink._turn()
            sink.apply(plan(web=("tor",)), up("tor"), ME)
            assert not await sink._turn()
            crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            await here.client.request("POST", crds, json.dumps(crd(bgpstatus.KIND)).encode())
            assert await sink._turn()

    asyncio.run(story())
