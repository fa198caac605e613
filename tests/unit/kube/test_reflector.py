"""List and watch end in the API server's state, whatever happens on the way."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from speakerd.kube import kept, objects
from speakerd.kube.client import Response
from speakerd.kube.objects import Node, Service
from speakerd.kube.reflector import ABSENT, LONGEST, PAGE, SILENCE, List, Reflector, Wait, Watch


def service(name: str, version: int, **spec: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "d", "resourceVersion": str(version)}, "spec": spec}


def page(*items: dict[str, Any], version: int = 10, token: str = "") -> Response:
    body = {"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)}
    return Response(200, json.dumps(body).encode())


def status(code: int, reason: str = "") -> Response:
    return Response(code, json.dumps({"kind": "Status", "code": code, "reason": reason}).encode())


def line(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode()


def services() -> Reflector[Service]:
    return Reflector(kept.SERVICES, lambda: 0.5)


def listed(*items: dict[str, Any]) -> Reflector[Service]:
    core = services()
    core.page(page(*items))
    return core


def test_a_list_in_pages_becomes_the_value_in_one_step() -> None:
    core = services()
    assert core.next() == List("")
    assert not core.page(page(service("a", 1), token="more"))
    assert core.next() == List("more")
    assert not core.value
    assert core.page(page(service("b", 2)))
    assert core.value.keys() == {"d/a", "d/b"}
    assert core.synced


def test_a_watch_begins_where_the_list_ended() -> None:
    core = listed(service("a", 1))
    assert core.next() == Watch("10", 450, 480.0)


def test_events_change_the_value_and_move_the_version() -> None:
    core = listed(service("a", 1))
    assert core.lines([line("ADDED", service("b", 11)), line("DELETED", service("a", 12))])
    assert core.value.keys() == {"d/b"}
    assert core.version == "12"


def test_a_bookmark_moves_the_version_and_changes_nothing() -> None:
    core = listed(service("a", 1))
    assert not core.lines([line("BOOKMARK", {"kind": "Service", "metadata": {"resourceVersion": "99"}})])
    assert core.next() == Watch("99", 450, SILENCE)


def test_a_watch_that_ends_is_resumed_and_a_cut_one_backs_off_first() -> None:
    core = listed(service("a", 1))
    core.ended(Response(200, b""))
    assert core.next() == Watch("10", 450, 480.0)
    core.failed("cut")
    assert isinstance(core.next(), Wait)
    assert core.next() == Watch("10", 450, 480.0)
    assert core.value.keys() == {"d/a"}


def test_back_off_grows_and_is_bounded() -> None:
    core = services()
    waits = []
    for _ in range(20):
        core.failed("refused")
        waits.append(core.next())
    seconds = [each.seconds for each in waits if isinstance(each, Wait)]
    assert seconds == sorted(seconds)
    assert seconds[0] < 0.3
    assert seconds[-1] <= LONGEST


def test_after_410_the_list_comes_anew_and_what_vanished_goes_in_one_step() -> None:
    core = listed(service("a", 1), service("b", 2))
    kept = core.value["d/b"]
    assert not core.lines([line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})])
    assert core.next() == List("")
    assert core.value.keys() == {"d/a", "d/b"}
    assert core.page(page(service("b", 2), version=50))
    assert core.value == {"d/b": kept}
    assert core.value["d/b"] is kept


def test_a_refused_watch_of_an_old_version_lists_anew_too() -> None:
    core = listed(service("a", 1))
    core.ended(status(410, "Expired"))
    assert core.next() == List("")


def test_a_list_that_expires_between_two_pages_begins_anew() -> None:
    core = services()
    core.page(page(service("a", 1), token="more"))
    core.page(status(410, "Expired"))
    assert core.next() == List("")
    assert core.page(page(service("b", 1)))
    assert core.value.keys() == {"d/b"}


def test_listing_the_same_again_changes_nothing() -> None:
    core = listed(service("a", 1))
    core.lines([line("ERROR", {"code": 410})])
    assert not core.page(page(service("a", 1), version=99))


def test_a_version_that_is_too_old_again_and_again_backs_off() -> None:
    core = listed(service("a", 1))
    core.ended(status(410, "Expired"))
    assert core.next() == List("")
    core.page(page(service("a", 1)))
    core.next()
    core.ended(status(410, "Expired"))
    assert isinstance(core.next(), Wait)
    assert core.next() == List("")


def test_a_page_too_large_to_hold_is_asked_for_in_smaller_ones_from_the_start() -> None:
    core = services()
    core.page(page(service("a", 1), token="more"))
    core.too_large("an answer of over 16 MiB")
    assert core.limit == PAGE // 2
    assert isinstance(core.next(), Wait)
    assert core.next() == List("")
    for _ in range(20):
        core.too_large("still")
    assert core.limit == 1


def test_a_watch_without_bookmarks_may_be_silent_for_its_whole_time() -> None:
    core = listed(service("a", 1))
    watch = core.next()
    assert isinstance(watch, Watch)
    assert watch.patience > watch.seconds
    core.lines([line("BOOKMARK", {"metadata": {"resourceVersion": "11"}})])
    assert core.next() == Watch("11", 450, SILENCE)


def test_a_silent_watch_is_begun_anew_without_an_error() -> None:
    core = listed(service("a", 1))
    core.next()
    core.lines([line("BOOKMARK", {"metadata": {"resourceVersion": "11"}})])
    core.silent("silent for 150 s")
    assert not core.error
    assert core.next() == Watch("11", 450, 480.0)


def test_a_watch_that_does_not_even_begin_is_an_error() -> None:
    core = listed(service("a", 1))
    core.next()
    core.silent("silent for 10 s")
    assert core.error
    assert isinstance(core.next(), Wait)


def test_a_bookmark_of_another_history_lists_anew() -> None:
    core = listed(service("a", 1))
    core.lines([line("BOOKMARK", {"metadata": {"resourceVersion": "4"}})])
    assert isinstance(core.next(), Wait)
    assert core.next() == List("")
    assert core.value


def test_a_watch_that_begins_ends_the_error_of_the_one_before() -> None:
    core = listed(service("a", 1))
    core.failed("refused")
    core.lines([])
    assert not core.error
    assert core.value.keys() == {"d/a"}


def test_a_watch_that_held_makes_the_next_failure_the_first_again() -> None:
    core = listed(service("a", 1))
    for _ in range(8):
        core.failed("refused")
    core.next()
    core.lines([])
    core.lasted(60.0)
    core.failed("cut")
    wait = core.next()
    assert isinstance(wait, Wait)
    assert wait.seconds < 0.3


def test_an_object_that_is_not_as_its_schema_says_is_named_and_costs_nobody_else() -> None:
    core = services()
    assert core.page(page(service("a", 1), {"metadata": {"name": "b", "namespace": "d"}, "spec": {"type": 7}}))
    assert core.value.keys() == {"d/a"}
    assert core.unreadable.keys() == {"d/b"}


def test_an_object_that_becomes_unreadable_stays_as_it_was_until_it_can_be_read() -> None:
    core = listed(service("a", 1, type="LoadBalancer"))
    kept = core.value["d/a"]
    broken = {"metadata": {"name": "a", "namespace": "d", "resourceVersion": "11"}, "spec": {"type": 7}}
    assert not core.lines([line("MODIFIED", broken)])
    assert core.value["d/a"] is kept
    assert core.version == "11"
    assert core.lines([line("MODIFIED", service("a", 12, type="ClusterIP"))])
    assert not core.unreadable


def test_the_annotations_of_others_are_not_kept() -> None:
    core = services()
    item = service("a", 1)
    item["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "metallb.io/x": "y"}
    core.page(page(item))
    assert core.value["d/a"].metadata.annotations == {"metallb.io/x": "y"}


def test_who_holds_a_value_keeps_what_they_saw() -> None:
    core = listed(service("a", 1))
    seen = core.value
    core.lines([line("DELETED", service("a", 11))])
    assert seen.keys() == {"d/a"}


def test_a_kind_the_api_does_not_know_is_no_error_and_is_looked_for_again() -> None:
    core = Reflector(objects.pools("metallb-system"), lambda: 0.5)
    assert core.page(status(404, "NotFound"))
    assert core.synced
    assert core.absent
    assert not core.error
    assert core.next() == Wait(ABSENT)
    assert core.next() == List("")
    pool = {"metadata": {"name": "p", "namespace": "metallb-system"}, "spec": {"addresses": ["10.0.0.0/24"]}}
    assert core.page(page(pool))
    assert not core.absent


def test_a_crd_deleted_while_watched_empties_the_value() -> None:
    core = Reflector(objects.pools("metallb-system"), lambda: 0.5)
    core.page(page({"metadata": {"name": "p"}, "spec": {"addresses": ["10.0.0.0/24"]}}))
    assert core.ended(status(404, "NotFound"))
    assert core.absent
    assert not core.value


def test_forbidden_is_an_error_that_says_so_and_keeps_the_value() -> None:
    core = listed(service("a", 1))
    core.ended(status(403, "Forbidden"))
    assert "403" in core.error
    assert core.value


def test_the_api_servers_wish_for_a_pause_is_honoured() -> None:
    core = services()
    core.page(Response(429, b"{}", retry_after=7.0))
    assert core.next() == Wait(7.0)


def test_a_heartbeat_of_a_node_changes_nothing() -> None:
    core: Reflector[Node] = Reflector(objects.NODES, lambda: 0.5)

    def node(version: int, beat: str) -> dict[str, Any]:
        condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": beat}
        return {"metadata": {"name": "n", "resourceVersion": str(version)}, "status": {"conditions": [condition]}}

    core.page(page(node(1, "t1")))
    before = core.value["n"]
    assert not core.lines([line("MODIFIED", node(2, "t2"))])
    assert core.value["n"] is before
    assert core.version == "2"


def test_an_unreadable_line_is_passed_over() -> None:
    core = listed(service("a", 1))
    assert core.lines([b"{", line("MODIFIED", service("a", 11, type="ClusterIP"))])
    assert core.value["d/a"].spec.type == "ClusterIP"


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    core = listed(service("a", 1))
    core.lines([data])
    core.page(Response(200, data))
    core.next()


def test_a_list_or_a_line_nested_without_end_is_unreadable_and_no_more() -> None:
    deep = b'{"x":' + b"[" * 100_000
    core = services()
    assert not core.page(Response(200, deep))
    assert "unreadable list" in core.error
    core = listed(service("a", 1))
    assert not core.lines([deep])
    assert "unreadable watch" in core.error


def test_a_status_that_is_no_text_is_a_reason_none_the_less() -> None:
    assert Response(500, b'{"reason":"\xff"}').reason
