"""Who has an address together stands in its Lease, each with the terms by which it shares."""

import asyncio

import pytest
from msgspec.structs import replace

from speakerd.config.resources import Metadata
from speakerd.decision import Plan
from speakerd.kube import body
from speakerd.kube.objects import Lease
from speakerd.model import Holder, Release, ServiceRef, Sharing
from speakerd.terms import digest
from tests.unit.kube.writing import ONE, Scene, give, given, held_now, plan, play


def joined(*names: str) -> str:
    """The annotation of a Lease that these Services share."""
    return ",".join(f"default/{name}/uid-{name}" for name in names)


def named(scene: Scene) -> str:
    """Whom the Lease of an address names, at the API server."""
    found: str = scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["annotations"][body.SERVICES_ANNOTATION]
    return found


def test_those_who_are_to_share_an_address_stand_in_its_lease_before_a_status_names_it() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE, name="web"), give(ONE, name="tls"), give(ONE, name="dns")))
        await scene.until(lambda: len(scene.api.patches) == 3)
        assert set(named(scene).split(",")) == set(joined("web", "tls", "dns").split(","))
        assert ("POST", "speakerd-vip-10-0-0-1") in scene.api.asked

    async def with_a_plan_for_each_turn(scene: Scene) -> None:
        task = asyncio.create_task(story(scene))
        while not task.done():
            scene.turned.clear()
            turned = asyncio.create_task(scene.turned.wait())
            await asyncio.wait([task, turned], return_when=asyncio.FIRST_COMPLETED)
            turned.cancel()
            done = {each["metadata"]["uid"] for each in scene.api.patches}
            scene.writer.apply(
                plan(*(give(ONE, name=name) for name in ("web", "tls", "dns") if f"uid-{name}" not in done))
            )
        await task

    play(with_a_plan_for_each_turn)


def test_a_lease_is_not_joined_when_it_names_one_that_the_decision_knew_nothing_of() -> None:
    async def story(scene: Scene) -> None:
        await given(scene)
        scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["annotations"][body.SERVICES_ANNOTATION] = joined(
            "web", "foreign"
        )
        scene.writer.apply(plan(give(ONE, name="tls")))
        await scene.until(lambda: len(held_now(scene).services) == 2)
        assert named(scene) == joined("web", "foreign")
        assert len(scene.api.patches) == 1, "no status names it but that of the first"

    play(story)


def test_a_release_leaves_an_address_to_those_who_still_share_it() -> None:
    async def story(scene: Scene) -> None:
        held = await given(scene)
        scene.api.leases[held.lease]["metadata"]["annotations"][body.SERVICES_ANNOTATION] = joined("web", "tls")
        both = replace(held, services=(*held.services, ServiceRef("default/tls", "uid-tls")))
        scene.writer.apply(plan(releases=(Release(both, held.services),)))
        await scene.until(lambda: named(scene) == joined("web"))
        await scene.until(lambda: held_now(scene).services == held.services)

    play(story)


def test_who_joins_an_address_found_in_a_status_does_not_make_it_one_that_was_given() -> None:
    async def story(scene: Scene) -> None:
        adopted = ((ONE, Holder(ServiceRef("default/old", "uid-old"))),)
        scene.writer.apply(plan(give(ONE, name="tls"), adoptions=adopted))
        await scene.until(lambda: bool(scene.api.leases))
        await scene.until(lambda: bool(scene.api.patches) or scene.turns > 0)
        assert not held_now(scene).given

    play(story)


# ---- by which terms


K, OTHER = digest(Sharing("k")), digest(Sharing("other"))


def terms(scene: Scene) -> dict[str, str]:
    """By which terms the Lease says that Services share the address, at the API server."""
    noted = scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["annotations"].get(body.TERMS_ANNOTATION, "")
    return dict(each.split("=") for each in filter(None, noted.split(",")))


def adoption(name: str, by: str) -> Plan:
    """That a Service has the address by these terms."""
    return plan(adoptions=((ONE, Holder(ServiceRef(f"default/{name}", f"uid-{name}"), by)),))


async def shared(scene: Scene) -> None:
    """Services web and tls are given one address, one after the other."""
    scene.writer.apply(plan(give(ONE, key="k")))
    await scene.until(lambda: bool(scene.api.patches))
    scene.writer.apply(plan(give(ONE, name="tls", key="k")))
    await scene.until(lambda: len(scene.api.patches) == 2)


def writes(scene: Scene) -> int:
    """How often the Lease was written to since it is there."""
    return scene.api.asked.count(("PATCH", "speakerd-vip-10-0-0-1"))


def test_the_terms_of_each_stand_in_the_lease_once_it_is_created_and_once_it_is_joined() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE, key="k")))
        await scene.until(lambda: ONE in (scene.writer.value or {}))
        assert (held_now(scene).uid, held_now(scene).terms) == ("", ((ServiceRef("default/web", "uid-web"), K),))
        await scene.until(lambda: bool(scene.api.leases))
        assert terms(scene) == {"uid-web": K}
        await shared(scene)
        assert terms(scene) == {"uid-web": K, "uid-tls": K}
        assert [each for _, each in held_now(scene).terms] == [K, K]

    play(story)


def test_one_that_shares_with_nobody_has_no_terms_in_its_lease() -> None:
    async def story(scene: Scene) -> None:
        held = await given(scene)
        assert body.TERMS_ANNOTATION not in scene.api.leases[held.lease]["metadata"]["annotations"]

    play(story)


def test_terms_that_have_changed_are_written_down_once_and_those_of_the_others_stay() -> None:
    async def story(scene: Scene) -> None:
        await shared(scene)
        before = writes(scene)
        for _ in range(3):
            turns = scene.turns
            scene.writer.apply(adoption("web", OTHER))
            await scene.until(lambda turns=turns: scene.turns > turns)  # type: ignore[misc]
        assert terms(scene) == {"uid-web": OTHER, "uid-tls": K}
        assert held_now(scene).recorded(ServiceRef("default/web", "uid-web")) == OTHER
        assert writes(scene) == before + 1

    play(story)


def test_the_terms_of_one_that_shares_no_longer_are_taken_out_of_its_lease() -> None:
    async def story(scene: Scene) -> None:
        scene.writer.apply(plan(give(ONE, key="k")))
        await scene.until(lambda: bool(scene.api.patches))
        scene.writer.apply(adoption("web", ""))
        await scene.until(lambda: not terms(scene))
        assert named(scene) == joined("web")
        assert body.TERMS_ANNOTATION not in scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["annotations"]

    play(story)


def test_the_terms_of_one_that_leaves_go_with_it() -> None:
    async def story(scene: Scene) -> None:
        await shared(scene)
        held = held_now(scene)
        scene.writer.apply(plan(releases=(Release(held, held.services[1:]),)))
        await scene.until(lambda: named(scene) == joined("tls"))
        assert terms(scene) == {"uid-tls": K}

    play(story)


def test_terms_are_not_written_into_a_lease_that_names_one_of_whom_the_decision_knew_nothing() -> None:
    async def story(scene: Scene) -> None:
        await shared(scene)
        annotations = scene.api.leases["speakerd-vip-10-0-0-1"]["metadata"]["annotations"]
        annotations[body.SERVICES_ANNOTATION] = joined("web", "tls", "foreign")
        scene.writer.apply(adoption("web", OTHER))
        await scene.until(lambda: len(held_now(scene).services) == 3)
        assert terms(scene) == {"uid-web": K, "uid-tls": K}

    play(story)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("what is this", {}),
        ("=,=,,", {}),
        ("uid-web", {}),
        (f"uid-web={K}0,uid-tls={K.upper()}", {}),
        (f"uid-web={K[:-1]}", {}),
        (f"uid-web= {K}", {}),
        (f"uid-gone={K}", {}),
        (f"uid-web={K},rubbish,uid-tls={OTHER}", {"uid-web": K, "uid-tls": OTHER}),
        (f"uid-web={K},uid-web={OTHER}", {"uid-web": OTHER}),
    ],
)
def test_of_an_annotation_that_somebody_has_edited_only_what_is_as_we_write_it_counts(
    text: str, read: dict[str, str]
) -> None:
    noted = {body.SERVICES_ANNOTATION: joined("web", "tls"), body.TERMS_ANNOTATION: text}
    found = body.reservation(Lease(Metadata(name="speakerd-vip-10-0-0-1", annotations=noted)))
    assert found
    assert {ref.uid: by for ref, by in found.terms} == read


def test_a_lease_keeps_the_terms_of_no_more_than_those_it_names() -> None:
    every = ",".join(f"uid-{number}={K}" for number in range(10_000))
    noted = {body.SERVICES_ANNOTATION: joined("7"), body.TERMS_ANNOTATION: every}
    found = body.reservation(Lease(Metadata(name="speakerd-vip-10-0-0-1", annotations=noted)))
    assert found
    assert found.terms == ((ServiceRef("default/7", "uid-7"), K),)
