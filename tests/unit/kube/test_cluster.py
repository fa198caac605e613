"""What is known of the cluster as a whole: by which credentials, and the key of the members' messages."""

from pathlib import Path

from speakerd.config.resources import Metadata
from speakerd.exchange import Key
from speakerd.kube import body, objects
from speakerd.kube.client import Response
from speakerd.kube.cluster import Cluster
from speakerd.kube.keykeeper import KEY_FILE, SECRET
from speakerd.kube.objects import Lease, Secret
from speakerd.membership.keys import key_id
from speakerd.settings import Membership, Settings

OLD, NEW = Key(key_id(b"old"), b"old"), Key(key_id(b"new"), b"new")


def cluster(known: tuple[Key, ...] = (), secret_file: str = "") -> Cluster:
    return Cluster(Settings(membership=Membership(secret_file=secret_file)), "me", lambda: None, known)


def holds(here: Cluster, data: dict[str, str] | None) -> None:
    """Let the watch have shown the Secret, None: that there is none."""
    secret = Secret(Metadata("memberlist", "ns"), data=data or {})
    here.keeper.secret.value = {} if data is None else {"ns/memberlist": secret}
    here.keeper.secret.synced = True
    here.keeper.seen()


def recorded(here: Cluster, *keys: Key) -> None:
    """Let one member's record name these keys."""
    annotations = {body.KEYS_ANNOTATION: ",".join(each.id for each in keys)}
    here.members.value = {"a": Lease(Metadata("speakerd-node-a", annotations=annotations))}


def test_the_secret_s_key_is_in_use_and_the_older_until_all_records_name_the_newer() -> None:
    here = cluster((OLD,))
    before = here.keeper.settled
    holds(here, {"secretkey": "bmV3"})
    assert (before, here.keeper.settled) == (False, True)
    recorded(here, OLD)
    assert list(here.keys) == [NEW, OLD]
    recorded(here, NEW, OLD)
    assert list(here.keys) == [NEW]


def test_a_secret_that_may_not_be_read_is_told_and_waited_for_no_longer() -> None:
    here = cluster()
    here.keeper.secret.page(Response(403, b'{"reason":"Forbidden","message":"secrets is forbidden"}'))
    assert here.keeper.settled
    assert here.keys == ()
    assert here.failing == {SECRET: "403 Forbidden: secrets is forbidden"}


def test_a_secret_without_a_key_is_told_and_the_last_key_stays() -> None:
    here = cluster((OLD,))
    holds(here, {"other": "bmV3"})
    assert here.keys == (OLD,)
    assert "secretkey" in here.failing[SECRET]
    holds(here, None)
    assert here.keys == (OLD,)
    assert not here.failing


def test_a_key_from_a_file_is_known_at_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"new")
    here = cluster((OLD,), str(file))
    assert here.keeper.settled
    assert here.keys == (NEW, OLD)


def test_a_key_file_that_cannot_be_read_or_is_empty_is_told_and_the_last_key_stays(tmp_path: Path) -> None:
    here = cluster((OLD,), str(tmp_path / "none"))
    assert here.keys == (OLD,)
    assert "No such file" in here.failing[KEY_FILE]
    empty = tmp_path / "empty"
    empty.touch()
    assert "is empty" in cluster((), str(empty)).failing[KEY_FILE]


def test_a_secret_is_created_only_where_one_has_been_missing_for_long() -> None:
    here = cluster()
    due = [here.keeper.deadline()]
    for data in (None, {"secretkey": "bmV3"}):
        holds(here, data)
        due.append(here.keeper.deadline())
    assert [at is not None for at in due] == [False, True, False]


def test_namespaces_are_watched_only_where_a_pool_asks_for_their_labels() -> None:
    here = cluster()
    assert here.namespaces not in here.reflectors
    here.want(["Namespace"])
    assert here.namespaces in here.reflectors
    before = "Namespace" in here.known
    here.namespaces.page(Response(403, b'{"reason":"Forbidden","message":"namespaces is forbidden"}'))
    assert (before, "Namespace" in here.known) == (False, True), "they will never be known"
    assert not here.look_out(0.0)
    assert not here.look_out(60.0), "all else is watched"


POOLS = b'{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"p","namespace":"metallb-system"}}]}'
NONE = b'{"metadata":{"resourceVersion":"6"},"items":[]}'


def test_that_there_is_no_pool_is_an_accident_where_none_was_ever_seen() -> None:
    here = cluster()
    here.pools.page(Response(200, NONE))
    assert not here.stores(drained=False, hints=None).pools_gone


def test_pools_that_vanish_count_on_for_a_moment_and_that_is_looked_at_again() -> None:
    here = cluster()
    here.pools.page(Response(200, POOLS))
    assert list(here.stores(drained=False, hints=None).pools) == ["metallb-system/p"]
    assert not here.look_out(0.0)
    here.pools.page(Response(200, NONE))
    seen = here.stores(drained=False, hints=None)
    assert (list(seen.pools), seen.pools_gone) == (["metallb-system/p"], False)
    assert here.look_out(0.0)


def test_the_legacy_config_map_is_watched_only_where_there_is_no_resource() -> None:
    here = cluster()
    assert here.legacy not in here.reflectors
    here.want(["ConfigMap"])
    assert here.legacy in here.reflectors
    assert here.legacy.kind.fields == "metadata.name=config"


def test_bgp_is_watched_on_demand_and_a_peer_is_waited_for_until_it_is_known_or_forbidden() -> None:
    here = cluster()
    assert "BGPPeer" not in here.known
    here.want(["BGPPeer"])
    assert [each for each in here.reflectors if each.kind.name.startswith(("BGP", "BFD"))] == [here.peers]
    here.peers.page(Response(403, b'{"reason":"Forbidden","message":"bgppeers is forbidden"}'))
    assert "BGPPeer" in here.known


def test_a_peer_that_went_with_its_kind_counts_on_and_is_told() -> None:
    here = cluster()
    here.peers.page(Response(200, POOLS))
    assert list(here.stores(drained=False, hints=None).peers) == ["metallb-system/p"]
    here.peers.page(Response(200, NONE))
    here.stores(drained=False, hints=None)
    here.peers.page(Response(404, b"{}"))
    assert list(here.stores(drained=False, hints=None).peers) == ["metallb-system/p"]
    assert here.missing == ["BGPPeer"]


def test_of_namespaces_nothing_but_the_metadata_is_asked_for() -> None:
    assert objects.NAMESPACES.accept(listed=True).startswith(b"application/json;as=PartialObjectMetadataList;")
    assert objects.NAMESPACES.accept(listed=False).startswith(b"application/json;as=PartialObjectMetadata;")
    assert objects.NODES.accept(listed=True) == b"application/json"
