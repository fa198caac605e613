"""An address' Lease comes before the status that names it, whoever interferes."""

import asyncio
import json
from ipaddress import ip_address

import msgspec
import pytest

from speakerd.config.resources import Metadata
from speakerd.decision import EventWrite
from speakerd.kube import body
from speakerd.kube.objects import Lease
from speakerd.model import IP, Holder, Release, Reservation, ServiceRef
from tests.unit.kube.writing import MAC, ONE, TWO, Scene, give, given, held_now, plan, play, service


def test_every_addresss_lease_is_created_before_the_status() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE, TWO)))
        await scene.until(lambda: bool(scene.api.patches))
        assert scene.api.asked[-3:] == [
            ("POST", "speakerd-vip-10-0-0-1"),
            ("POST", "speakerd-vip-fd00-0000-0000-0000-0000-0000-0000-0001"),
            ("PATCH", "status"),
        ]
        (patch,) = scene.api.patches
        assert patch["metadata"]["resourceVersion"] == "7"
        assert patch["status"]["loadBalancer"]["ingress"] == [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]

    play(story)


def test_an_address_whose_lease_names_another_is_not_given() -> None:
    async def story(scene: Scene) -> None:
        lease = json.loads(body.vip_lease("metallb-system", ONE, Holder(ServiceRef("default/other", "uid-other"))))
        lease["metadata"] |= {"uid": "u", "resourceVersion": "1"}
        scene.api.leases["speakerd-vip-10-0-0-1"] = lease
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: scene.turns > 1)
        assert not scene.api.patches
        assert scene.writer.value is not None
        assert scene.writer.value[ONE].services == (ServiceRef("default/other", "uid-other"),)

    play(story)


def test_a_lease_left_by_an_allocator_that_stopped_half_way_is_ours_to_use() -> None:
    async def story(scene: Scene) -> None:
        lease = json.loads(body.vip_lease("metallb-system", ONE, Holder(ServiceRef("default/web", "uid-web"))))
        lease["metadata"] |= {"uid": "u", "resourceVersion": "1"}
        scene.api.leases["speakerd-vip-10-0-0-1"] = lease
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))

    play(story)


def test_nothing_is_written_once_this_may_no_longer_be_the_allocator() -> None:
    async def story(scene: Scene) -> None:
        asked = len(scene.api.asked)
        scene.sure = False
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: scene.turns > 1)
        assert len(scene.api.asked) == asked

    play(story)


def test_a_plan_seen_twice_is_written_once() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))
        scene.writer.apply(plan(give(ONE)))
        scene.writer.apply(plan(give(TWO, name="next")))
        await scene.until(lambda: len(scene.api.patches) > 1)
        assert [method for method, _ in scene.api.asked].count("PATCH") == 2

    play(story)


def test_a_service_that_changed_meanwhile_is_written_again_only_when_seen_anew() -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers["PATCH"] = 409
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: ("PATCH", "status") in scene.api.asked)
        await scene.until(lambda: not scene.writer._busy)
        del scene.api.answers["PATCH"]
        scene.writer.apply(plan(give(ONE)))
        assert not scene.writer._jobs
        scene.writer.apply(plan(give(ONE, version="8")))
        await scene.until(lambda: bool(scene.api.patches))

    play(story)


def test_a_service_that_changes_while_its_write_is_under_way_gets_another_turn() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.writer._busy))
        turns = scene.turns
        scene.writer.apply(plan(give(TWO, version="8")))
        await scene.until(lambda: scene.turns > turns)
        scene.writer.apply(plan(give(TWO, version="8")))
        await scene.until(lambda: len(scene.api.patches) > 1)

    play(story)


def test_what_could_not_be_written_is_told_until_it_is_written_or_no_longer_wanted() -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers["POST"] = 403
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.writer.failing))
        assert "403" in scene.writer.failing["default/web"]
        await scene.until(lambda: not scene.writer._busy)
        scene.writer.apply(plan())
        assert not scene.writer.failing

    play(story)


def test_a_cut_connection_is_weather_and_the_next_plan_goes_on() -> None:
    async def story(scene: Scene) -> None:
        scene.api.cut = 1
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: scene.turns > 1)
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))

    play(story)


def test_a_release_deletes_that_very_lease_and_frees_the_address() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))
        assert scene.writer.value is not None
        held = scene.writer.value[ONE]
        scene.writer.apply(plan(releases=(Release(held),)))
        await scene.until(lambda: not scene.api.leases)
        await scene.until(lambda: ONE not in (scene.writer.value or {}))

    play(story)


def test_a_release_deletes_a_lease_in_which_its_owner_has_named_itself_meanwhile() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))
        assert scene.writer.value is not None
        held = scene.writer.value[ONE]
        scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["resourceVersion"] = "999"
        scene.writer.apply(plan(releases=(Release(held),)))
        await scene.until(lambda: not scene.api.leases)
        await scene.until(lambda: ONE not in (scene.writer.value or {}))
        assert [method for method, _ in scene.api.asked].count("DELETE") == 1

    play(story)


def test_a_release_does_not_delete_a_lease_that_serves_another_service_now() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))
        assert scene.writer.value is not None
        held = scene.writer.value[ONE]
        lease = scene.api.leases["speakerd-vip-10-0-0-1"]
        lease["metadata"]["annotations"] = {body.SERVICES_ANNOTATION: "default/other/uid-other"}
        scene.writer.apply(plan(releases=(Release(held),)))
        await scene.until(lambda: scene.writer.value is not None and scene.writer.value[ONE] != held)
        assert scene.api.leases
        assert scene.writer.value[ONE].services == (ServiceRef("default/other", "uid-other"),)

    play(story)


def test_a_release_decided_long_ago_does_not_delete_a_newer_reservation() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: bool(scene.api.patches))
        stale = Reservation(ONE, "speakerd-vip-10-0-0-1", "older uid", "3", (ServiceRef("default/old", "x"),))
        scene.writer.apply(plan(releases=(Release(stale),)))
        await scene.until(lambda: ("GET", "speakerd-vip-10-0-0-1") in scene.api.asked)
        assert "speakerd-vip-10-0-0-1" in scene.api.leases

    play(story)


def test_a_lease_that_is_created_while_it_is_to_be_released_is_not_lost_sight_of() -> None:
    async def story(scene: Scene) -> None:
        # The release asks before the Lease is there and hears so only after it has been created.
        scene.api.ways = {"POST": (5, 0), "GET": (0, 10)}
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: ONE in (scene.writer.value or ()))
        scene.writer.apply(plan(releases=(Release(held_now(scene)),)))
        await scene.until(lambda: ("GET", "speakerd-vip-10-0-0-1") in scene.api.asked)
        await scene.until(lambda: not scene.writer._busy)
        assert held_now(scene).uid == scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["uid"]
        scene.writer.apply(plan(releases=(Release(held_now(scene)),)))
        await scene.until(lambda: not scene.api.leases)

    play(story)


def test_a_lease_whose_creation_was_under_way_is_known_to_who_becomes_allocator_again() -> None:
    async def story(scene: Scene) -> None:
        # The list is drawn up before the Lease is there, and arrives after the answer to its creation.
        scene.api.ways = {"POST": (5, 0), "GET": (0, 10)}
        scene.writer.apply(plan(give(ONE, TWO)))
        await scene.until(lambda: ONE in (scene.writer.value or ()))
        scene.writer.forget()
        await scene.writer.recall()
        await scene.until(lambda: not scene.writer._busy)
        assert held_now(scene).uid == scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["uid"]
        assert len(scene.api.leases) == len(scene.writer.value or ()) == 1

    play(story)


def test_a_service_that_vanished_while_it_was_given_an_address_gets_another_turn() -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers["PATCH"] = 404
        turns = scene.turns
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: scene.turns > turns)
        assert ("PATCH", "status") in scene.api.asked

    play(story)


def test_an_address_found_in_a_status_gets_its_lease() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(adoptions=((ONE, Holder(ServiceRef("default/web", "uid-web"))),)))
        await scene.until(lambda: any(each.uid for each in (scene.writer.value or {}).values()))
        assert not held_now(scene).given

    play(story)


def test_an_address_that_a_stranger_has_is_set_aside_in_its_lease() -> None:
    async def story(scene: Scene) -> None:
        held = await given(scene)
        scene.writer.apply(plan(set_aside=((held, MAC),)))
        await scene.until(lambda: held_now(scene).stranger == MAC)
        assert scene.api.leases[held.lease]["metadata"]["annotations"][body.STRANGER_ANNOTATION] == MAC

    play(story)


def test_an_address_that_a_node_has_answered_for_meanwhile_is_not_set_aside() -> None:
    async def story(scene: Scene) -> None:
        held = await given(scene)
        scene.api.leases[held.lease]["spec"] = {"holderIdentity": "n2", "leaseTransitions": 1}
        scene.writer.apply(plan(set_aside=((held, MAC),)))
        await scene.until(lambda: not held_now(scene).given)
        assert not held_now(scene).stranger
        assert ("PATCH", held.lease) not in scene.api.asked

    play(story)


def test_a_service_that_is_gone_is_not_written_to_again_and_again() -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers = {"PATCH": 404}
        scene.writer.apply(plan(give(ONE)))
        await scene.until(lambda: ("PATCH", "status") in scene.api.asked)
        for _ in range(20):
            scene.writer.apply(plan(give(ONE)))
            await asyncio.sleep(0)
        assert scene.api.asked.count(("PATCH", "status")) == 1

    play(story)


def test_events_beyond_the_limit_push_the_oldest_out() -> None:
    async def story(scene: Scene) -> None:
        events = tuple(EventWrite(service(str(i)), "Normal", "IPAllocated", "m") for i in range(1500))
        scene.writer.apply(plan(events=events))
        assert scene.writer._events.qsize() == 1000

    play(story)


@pytest.mark.parametrize("terms", ["", "0123456789ab"])
@pytest.mark.parametrize("text", ["10.0.0.1", "255.255.255.255", "fd00::1", "2001:db8::ffff:1"])
def test_a_reservation_reads_back_as_it_was_written(text: str, terms: str) -> None:
    ip: IP = ip_address(text)
    name = body.vip_lease_name(ip)
    assert len(name) < 64
    ref = ServiceRef("default/web", "0b1e")
    raw = json.loads(body.vip_lease("ns", ip, Holder(ref, terms)))
    raw["metadata"] |= {"uid": "u", "resourceVersion": "9"}
    lease = msgspec.json.decode(json.dumps(raw).encode(), type=Lease)
    expected = Reservation(ip, name, "u", "9", (ref,), given=True, terms=((ref, terms),) if terms else ())
    assert body.reservation(lease) == expected


def test_a_lease_that_is_no_address_reserves_nothing() -> None:
    assert body.reservation(Lease(Metadata(name="speakerd-vip-what-is-this-now"))) is None
