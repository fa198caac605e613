"""Objects read from a cluster as they are, and created where they are not there yet: for commands alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from speakerd.kube.client import Client, Response

OK, CREATED, FORBIDDEN, NOT_FOUND, CONFLICT = 200, 201, 403, 404, 409
PLURALS: Mapping[str, str] = {
    "IPAddressPool": "ipaddresspools",
    "L2Advertisement": "l2advertisements",
    "BGPPeer": "bgppeers",
    "BGPAdvertisement": "bgpadvertisements",
    "BFDProfile": "bfdprofiles",
    "Community": "communities",
}
PAGE = 500


class Refused(Exception):
    """The API server does not do what was asked."""


class Outcome(Struct, frozen=True):
    """What became of an object: `created`, `there` already, or else the reason why not."""

    what: str
    word: str


def sources(namespace: str) -> list[str]:
    """The collections in which a MetalLB installation keeps what it was told, in either version."""
    own = quote(namespace)
    metallb = [f"/apis/metallb.io/v1beta1/namespaces/{own}/{each}" for each in PLURALS.values() if each != "bgppeers"]
    peers = [f"/apis/metallb.io/{version}/namespaces/{own}/bgppeers" for version in ("v1beta2", "v1beta1")]
    others = [f"/api/v1/namespaces/{own}/configmaps"]
    others += [f"/apis/apps/v1/namespaces/{own}/{each}" for each in ("deployments", "daemonsets")]
    return [*metallb, *peers, *others]


async def read(client: Client, namespace: str) -> list[dict[str, Any]]:
    """All of it; a peer once, by its newer version. Raises Unreachable, or Refused where objects may not be read."""
    found: list[dict[str, Any]] = []
    for path in sources(namespace):
        if path.endswith("/bgppeers") and any(each["kind"] == "BGPPeer" for each in found):
            continue
        found += await _listed(client, path)
    return found


async def _listed(client: Client, path: str) -> list[dict[str, Any]]:
    """A collection; none where its kind is not known."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = await client.request("GET", f"{path}?limit={PAGE}" + (f"&continue={quote(token)}" if token else ""))
        if answer.status == NOT_FOUND:
            return found
        if answer.status != OK:
            raise Refused(f"{path}: {answer.reason}")
        page = msgspec.json.decode(answer.body)
        kind = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
        found += [kind | each for each in page.get("items") or ()]
        token = page.get("metadata", {}).get("continue", "")
        if not token:
            return found


async def create(client: Client, objects: Iterable[Mapping[str, Any]]) -> Sequence[Outcome]:
    """Create each that is not there; one that is stays as it is. Raises Unreachable."""
    return [_outcome(each, await _created(client, each)) for each in objects]


async def _created(client: Client, each: Mapping[str, Any]) -> Response:
    namespace, plural = quote(each["metadata"]["namespace"]), PLURALS[each["kind"]]
    path = f"/apis/{each['apiVersion']}/namespaces/{namespace}/{plural}"
    return await client.request("POST", path, msgspec.json.encode(each))


def _outcome(each: Mapping[str, Any], answer: Response) -> Outcome:
    what = f"{each['kind']}/{each['metadata']['namespace']}/{each['metadata']['name']}"
    words = {CREATED: "created", CONFLICT: "there already", NOT_FOUND: "its CustomResourceDefinition is missing"}
    return Outcome(what, words.get(answer.status, answer.reason))
