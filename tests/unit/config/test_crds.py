"""The CustomResourceDefinitions agree with what is read, field by field."""

import re
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from speakerd.config.addresses import Malformed, parse
from speakerd.config.crds import crds
from speakerd.config.resources import (
    BFDProfileSpec,
    BGPAdvertisementSpec,
    BGPPeerSpec,
    CommunitySpec,
    IPAddressPoolSpec,
    L2AdvertisementSpec,
)
from speakerd.config.schemas import ADDRESSES
from speakerd.kube.bgpstatus import Detail
from speakerd.kube.objects import L2StatusDetail

KINDS = {
    "IPAddressPool": ("spec", IPAddressPoolSpec),
    "L2Advertisement": ("spec", L2AdvertisementSpec),
    "BGPPeer": ("spec", BGPPeerSpec),
    "BGPAdvertisement": ("spec", BGPAdvertisementSpec),
    "BFDProfile": ("spec", BFDProfileSpec),
    "Community": ("spec", CommunitySpec),
    "ServiceL2Status": ("status", L2StatusDetail),
    "ServiceBGPStatus": ("status", Detail),
}
MANIFESTS = {each["spec"]["names"]["kind"]: each for each in yaml.safe_load_all(crds())}


def schema(kind: str) -> dict[str, Any]:
    (version,) = (each for each in MANIFESTS[kind]["spec"]["versions"] if each["storage"])
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][KINDS[kind][0]]
    return found


def agree(part: dict[str, Any], wanted: inspect.Type) -> None:
    match wanted:
        case inspect.UnionType(types=types):
            agree(part, types[0])
        case inspect.StructType(fields=fields):
            assert set(part["properties"]) == {field.encode_name for field in fields}
            for field in fields:
                agree(part["properties"][field.encode_name], field.type)
        case inspect.VarTupleType(item_type=item):
            assert part["type"] == "array"
            agree(part["items"], item)
        case inspect.DictType(value_type=value):
            agree(part["additionalProperties"], value)
        case _:
            kinds = {inspect.StrType: "string", inspect.BoolType: "boolean", inspect.IntType: "integer"}
            assert part["type"] == kinds[type(wanted)]


@pytest.mark.parametrize("kind", KINDS)
def test_schema_and_structs_hold_the_same_fields_of_the_same_types(kind: str) -> None:
    agree(schema(kind), inspect.type_info(KINDS[kind][1]))


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_metallb_s(kind: str) -> None:
    spec = MANIFESTS[kind]["spec"]
    assert (spec["group"], spec["scope"], spec["versions"][0]["name"]) == ("metallb.io", "Namespaced", "v1beta1")
    statuses = {f"Service{each}Status": f"service{each.lower()}statuses" for each in ("L2", "BGP")}
    odd = {**statuses, "Community": "communities"}
    plural = odd.get(kind, f"{kind.lower()}s")
    assert spec["names"]["plural"] == plural
    assert MANIFESTS[kind]["metadata"]["name"] == f"{plural}.metallb.io"


@pytest.mark.parametrize("kind", ["ServiceL2Status", "ServiceBGPStatus"])
def test_the_status_of_a_service_is_a_subresource_and_names_its_node_and_service_for_ever(kind: str) -> None:
    (version,) = MANIFESTS[kind]["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    fixed = {name for name, each in schema(kind)["properties"].items() if "x-kubernetes-validations" in each}
    assert fixed == {"node", "serviceName", "serviceNamespace"}


def test_defaults_are_those_of_the_structs() -> None:
    properties = schema("IPAddressPool")["properties"]
    spec = IPAddressPoolSpec()
    assert properties["autoAssign"]["default"] is spec.auto_assign
    assert properties["avoidBuggyIPs"]["default"] is spec.avoid_buggy_ips


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/24",
        "10.0.0.5/8",
        " 10.0.0.1 - 10.0.0.9 ",
        "2001:db8::/64",
        "::/0",
        "fd00::1-fd00::ffff",
        "255.255.255.255/32",
    ],
)
def test_what_we_take_the_api_server_takes(entry: str) -> None:
    parse(entry)
    assert re.search(ADDRESSES, entry)


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.1", "10.0.0.0/33", "256.0.0.0/24", "10.0.0.1-fd00::1", "fd00::/129", "", "a", "10.0.0.0/24,10.1.0.0/24"],
)
def test_what_we_refuse_the_api_server_refuses(entry: str) -> None:
    assert not re.search(ADDRESSES, entry)


@given(st.text(alphabet="0123456789.-/ ", max_size=24))
def test_an_ipv4_entry_that_the_api_server_takes_can_only_be_reversed(entry: str) -> None:
    if re.search(ADDRESSES, entry):
        with suppress(Malformed):
            parse(entry)
            return
        first, _, last = entry.partition("-")
        parse(f"{last}-{first}")
