"""`speakerd check`: its JSON and exit codes are promises."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from speakerd.cli import main
from speakerd.config.example import example

POOL = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p2, namespace: metallb-system}\n"
L2 = "---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: l2, namespace: metallb-system}\n"


Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def named(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return named


def verdict(capsys: pytest.CaptureFixture[str], *files: str) -> tuple[int, dict[str, Any]]:
    code = main(["check", "-o", "json", *(word for name in files for word in ("-f", name))])
    found: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out)
    return code, found


def test_a_valid_pool_comes_to_what_the_contract_shows(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("a.yaml", f"{POOL}spec: {{addresses: [10.0.0.0/24]}}\n{L2}")
    pool = {
        "name": "p2",
        "cidrs": ["10.0.0.0/24"],
        "autoAssign": True,
        "avoidBuggyIPs": False,
        "priority": 0,
        "total": 256,
        "ipv4": 256,
        "ipv6": 0,
        "layer2": True,
        "bgp": False,
    }
    empty: dict[str, object] = {"peers": [], "bfdProfiles": [], "communities": []}
    assert verdict(capsys, name) == (0, {"valid": True, "problems": [], "pools": [pool], **empty})


@pytest.mark.parametrize(
    ("spec", "total"),
    [
        ("addresses: [10.0.0.0/24], avoidBuggyIPs: true", 254),
        ("addresses: [10.0.0.255-10.0.1.0], avoidBuggyIPs: true", 0),
        ("addresses: [10.0.0.1-10.0.0.9], avoidBuggyIPs: true", 9),
        ("addresses: [10.0.0.0/22], avoidBuggyIPs: true", 1016),
        ("addresses: [0.0.0.0/0], avoidBuggyIPs: true", (1 << 32) - (1 << 25)),
        ("addresses: ['fd00::/66']", 1 << 62),
        ("addresses: ['fd00::/64', 10.0.0.0/24]", (1 << 63) - 1),
    ],
)
def test_a_pool_counts_what_it_may_give_out(
    write: Write, capsys: pytest.CaptureFixture[str], spec: str, total: int
) -> None:
    _, found = verdict(capsys, write("a.yaml", f"{POOL}spec: {{{spec}}}\n{L2}"))
    assert msgspec.convert(found["pools"], list[dict[str, object]])[0]["total"] == total


def test_a_fault_has_the_contract_s_shape_and_code(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = verdict(capsys, write("a.yaml", f"{POOL}spec: {{addresses: [10.0.0.1]}}\n{L2}"))
    problem = {
        "object": "IPAddressPool/metallb-system/p2",
        "field": "spec.addresses[0]",
        "reason": "malformed-address",
        "message": "'10.0.0.1' is a lone address",
        "remedy": "write 10.0.0.1/32",
        "severity": "error",
    }
    assert (code, found["valid"], found["problems"]) == (1, False, [problem])


def test_warnings_alone_leave_it_valid(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = verdict(capsys, write("a.yaml", f"{POOL}spec: {{addresses: [10.0.0.0/24]}}\n"))
    assert (code, found["valid"]) == (0, True)
    assert [each["reason"] for each in msgspec.convert(found["problems"], list[dict[str, str]])] == ["not-advertised"]


@pytest.mark.parametrize("text", ["a: [", "\x00", None])
def test_what_cannot_be_read_is_one_object_and_code_2(
    write: Write, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    name = "/no/such/file" if text is None else write("a.yaml", text)
    code, found = verdict(capsys, name)
    assert (code, found["valid"]) == (2, False)
    assert [each["reason"] for each in msgspec.convert(found["problems"], list[dict[str, str]])] == ["unreadable"]


def test_settings_and_objects_are_one_set(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    settings = write("s.yaml", "kubernetes: {namespace: other}\niprange: 10.7.0.1-10.7.0.9\n")
    pool = POOL.replace("metallb-system", "other")
    objects = write("o.yaml", f"{pool}spec: {{addresses: [10.0.0.0/24]}}\n{L2.replace('metallb-system', 'other')}")
    code, found = verdict(capsys, settings, objects)
    assert (code, found["problems"]) == (0, [])
    assert [each["name"] for each in msgspec.convert(found["pools"], list[dict[str, object]])] == ["default", "p2"]


def test_later_settings_are_laid_over_earlier_ones(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = write("a.yaml", "iprange: 10.0.0.0/24"), write("b.yaml", "iprange: 10.1.0.0/24")
    _, found = verdict(capsys, *files)
    assert [each["cidrs"] for each in msgspec.convert(found["pools"], list[dict[str, object]])] == [["10.1.0.0/24"]]


def test_errors_go_to_stderr_one_line_each(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("s.yaml", "kuberntes: {}\nlog: debug\n")
    assert main(["check", "-f", name]) == 1
    out, err = capsys.readouterr()
    assert out == "not valid, no pools\n"
    assert err == (
        f"error: {name}:1:1: unknown key 'kuberntes' (did you mean kubernetes?)\n"
        f"error: {name}:2:6: log must be a map, not 'debug' (write log: and its keys below, indented)\n"
    )


def test_an_object_s_fault_is_told_with_its_field(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "-f", write("a.yaml", f"{POOL}spec: {{addresses: [x]}}\n{L2}")])
    err = capsys.readouterr().err
    assert err.startswith(
        "error: IPAddressPool/metallb-system/p2 spec.addresses[0]: 'x' is neither a CIDR nor a range ("
    )


def test_bgp_comes_to_peers_profiles_and_communities(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    group, beta = "apiVersion: metallb.io", "metadata: {namespace: metallb-system, name"
    text = f"""{POOL}spec: {{addresses: [10.0.0.0/24]}}
---
{group}/v1beta2
kind: BGPPeer
{beta}: peer1}}
spec: {{myASN: 64500, peerASN: 64501, peerAddress: 10.0.0.1, bfdProfile: fast}}
---
{group}/v1beta1
kind: BFDProfile
{beta}: fast}}
spec: {{receiveInterval: 50}}
---
{group}/v1beta1
kind: Community
{beta}: names}}
spec: {{communities: [{{name: no-export, value: "65535:65281"}}]}}
---
{group}/v1beta1
kind: BGPAdvertisement
{beta}: bgp}}
spec: {{communities: [no-export]}}
"""
    code, found = verdict(capsys, write("a.yaml", text))
    assert (code, found["problems"]) == (0, [])
    assert found["peers"] == [{"name": "peer1", "address": "10.0.0.1", "peerASN": 64501}]
    assert found["communities"] == [{"name": "no-export", "value": "65535:65281"}]
    assert found["bfdProfiles"] == [
        {
            "name": "fast",
            "receiveInterval": 50,
            "transmitInterval": 300,
            "detectMultiplier": 3,
            "echoInterval": 50,
            "echoMode": False,
            "passiveMode": False,
            "minimumTtl": 254,
        }
    ]
    assert [(each["layer2"], each["bgp"]) for each in found["pools"]] == [(False, True)]


CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: metallb-system}
data:
  config: |
    address-pools:
    - {name: lan, protocol: layer2, addresses: [10.1.0.0/24]}
    - {name: routed, protocol: bgp, addresses: [10.2.0.0/24]}
"""


def test_the_legacy_config_map_counts_where_there_is_no_resource(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write("old.yaml", CONFIG_MAP)
    _, found = verdict(capsys, old)
    assert [(each["name"], each["layer2"], each["bgp"]) for each in found["pools"]] == [
        ("lan", True, False),
        ("routed", False, True),
    ]
    _, found = verdict(capsys, old, write("new.yaml", f"{POOL}spec: {{addresses: [10.0.0.0/24]}}\n{L2}"))
    assert [each["name"] for each in found["pools"]] == ["p2"]
    assert [(each["object"], each["reason"]) for each in found["problems"]] == [
        ("ConfigMap/metallb-system/config", "not-honoured")
    ]


def test_a_password_is_never_shown(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    peer = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p, namespace: metallb-system}\n"
    for value in ("12345678", "[12345678]"):
        assert main(["check", "-o", "json", "-f", write("p.yaml", f"{peer}spec: {{password: {value}}}")]) == 1
        told = capsys.readouterr()
        assert "spec.password" in told.out
        assert "12345678" not in told.out + told.err


@pytest.mark.parametrize("value", ["y", "N", "on", "~", "1e3", "0o17"])
def test_what_kubectl_reads_as_something_else_than_text_is_told(
    write: Write, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    labelled = POOL.replace("namespace:", f"labels: {{a: {value}}}, namespace:")
    code, found = verdict(capsys, write("a.yaml", f"{labelled}spec: {{addresses: [10.0.0.0/24]}}\n{L2}"))
    assert code == 1
    assert "wrong-type" in {each["reason"] for each in found["problems"]}


def test_objects_of_others_that_are_called_alike_are_no_concern(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    calico = "apiVersion: crd.projectcalico.org/v1\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 192.0.2.1}\n"
    assert verdict(capsys, write("calico.yaml", calico))[1]["problems"] == []


def test_a_settings_file_of_two_documents_is_refused_as_the_agent_refuses_it(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = verdict(capsys, write("a.yaml", "announce: all\n---\niprange: 10.0.0.1-10.0.0.2\n"))
    assert (code, [each["reason"] for each in found["problems"]]) == (1, ["several-documents"])


def test_people_see_a_table(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "addresses: [10.0.0.1-10.0.0.9, 10.1.0.0/24, 10.2.0.0/24, 10.3.0.0/24, 10.4.0.0/24], autoAssign: false"
    assert main(["check", "-f", write("a.yaml", f"{POOL}spec: {{{spec}}}\n{L2}")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "valid",
        "",
        "POOL  ADDRESSES                                                            COUNT  AUTO ASSIGN  LAYER 2  BGP",
        "p2    10.0.0.1-10.0.0.9, 10.1.0.0/24, 10.2.0.0/24, 10.3.0.0/24 and 1 more  1033   no           yes      no",
    ]


def test_standard_input_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b"iprange: 10.0.0.1"))
    try:
        assert main(["check", "-f", "-"]) == 1
    finally:
        sys.stdin = before
    assert capsys.readouterr().err.startswith("error: standard input:1:10: 10.0.0.1 is not a valid CIDR or ip range")


def test_the_example_is_printed_and_valid(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--example"]) == 0
    text = capsys.readouterr().out
    assert text == example()
    assert main(["check", "-f", write("s.yaml", text)]) == 0
