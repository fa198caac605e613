"""What one host has in the cluster, deleted when it will not come back: for commands alone."""

from urllib.parse import quote

import msgspec

from speakerd.kube import body, l2status, lease
from speakerd.kube.client import Client, Response
from speakerd.kube.copying import Outcome
from speakerd.kube.objects import Labelled, Lease, ListMetadata

OK, NOT_FOUND = 200, 404
PAGE = 500
STATUSES = ("servicel2statuses", "servicebgpstatuses")


class Found(msgspec.Struct, frozen=True):
    """An object, as far as it is read."""

    metadata: Labelled


class Page(msgspec.Struct, frozen=True):
    """A page of them."""

    metadata: ListMetadata = ListMetadata()
    items: tuple[Found, ...] | None = ()


async def leave(client: Client, namespace: str, node: str, *, dry: bool) -> list[Outcome]:
    """Delete all that tells of this node alone, its agent being stopped; `dry`: only say what. Raises Unreachable."""
    group = f"/apis/metallb.io/v1beta1/namespaces/{quote(namespace)}"
    paths = [f"{body.leases(namespace)}/{body.member_lease_name(node)}"]
    paths += [f"{body.configuration_states(namespace)}/speaker-{node}"]
    for plural in STATUSES:
        paths += [f"{group}/{plural}/{name}" for name in await _names(client, f"{group}/{plural}", node)]
    there = [path for path in paths if (await client.request("GET", path)).status != NOT_FOUND] if dry else paths
    told = [_outcome(path, None if dry else await client.request("DELETE", path)) for path in there]
    told.append(await _allocator(client, namespace, node, dry=dry))
    return [each for each in told if each]


async def _names(client: Client, path: str, node: str) -> list[str]:
    """The objects of a kind that tell of this node; none where the kind is not known or may not be read."""
    label = quote(f"{l2status.NODE_LABEL}={l2status.node_label(node)}")
    found: list[str] = []
    token = ""
    while True:
        more = f"&continue={quote(token)}" if token else ""
        answer = await client.request("GET", f"{path}?labelSelector={label}&limit={PAGE}{more}")
        if answer.status != OK:
            return found
        page = msgspec.json.decode(answer.body, type=Page)
        found += [each.metadata.name for each in page.items or ()]
        token = page.metadata.continue_
        if not token:
            return found


async def _allocator(client: Client, namespace: str, node: str, *, dry: bool) -> Outcome | None:
    """The allocator's Lease, where it is still this node's: at a clean stop it was given up."""
    path = f"{body.leases(namespace)}/{lease.NAME}"
    answer = await client.request("GET", path)
    if answer.status != OK:
        return None
    found = msgspec.json.decode(answer.body, type=Lease)
    if found.spec.holder_identity != node:
        return None
    exactly = body.exactly(found.metadata.uid, found.metadata.resource_version)
    return _outcome(path, None if dry else await client.request("DELETE", path, exactly))


def _outcome(path: str, answer: Response | None) -> Outcome | None:
    """What became of it; None: it was not there."""
    *_, plural, name = path.split("/")
    what = f"{plural}/{name}"
    if answer is None:
        return Outcome(what, "would be deleted")
    if answer.status == NOT_FOUND:
        return None
    return Outcome(what, "deleted" if answer.status == OK else f"stays: {answer.reason}")
