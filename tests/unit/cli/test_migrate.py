"""`speakerd migrate` carries over what MetalLB, the charm or microk8s was told, and says what it cannot."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from speakerd.cli import main

OLD = """apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: metallb-system}
data:
  config: |
    address-pools:
    - {name: My_Pool, protocol: layer2, addresses: [10.1.0.0/24]}
    - {name: routed, protocol: bgp, addresses: [10.2.0.0/24], bgp-advertisements: [{communities: [no-export]}]}
    peers:
    - {my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, bfd-profile: Fast_One}
    bgp-communities: {no-export: "65535:65281"}
    bfd-profiles: [{name: Fast_One}]
"""
INSTALLED = """apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system}
spec:
  template:
    spec:
      containers:
      - name: speaker
        args: [--port=7472, --log-level=warn, --lb-class=x/y, --ml-bindport=7999, --ignore-exclude-lb, --unheard-of]
      - {name: frr, args: [--lost]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: metallb-excludel2, namespace: metallb-system}
data: {excludel2.yaml: "announcedInterfacesToExclude: ['^docker.*', '^wlan']"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bgpextras, namespace: metallb-system}
data: {extras: "router bgp"}
"""


class Migrate:
    """Runs `speakerd migrate`; the documents it prints, and what it says beside them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def write(self, name: str, text: str) -> str:
        (self._folder / name).write_text(text)
        return str(self._folder / name)

    def __call__(self, *arguments: str, code: int = 0) -> tuple[list[dict[str, Any]], list[str]]:
        assert main(["migrate", *arguments]) == code
        told = self._capsys.readouterr()
        return [each for each in yaml.safe_load_all(told.out) if each], told.err.splitlines()


@pytest.fixture
def migrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Migrate:
    return Migrate(tmp_path, capsys)


def names(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["metadata"]["name"]) for each in found]


def test_the_config_map_becomes_resources_with_names_that_kubernetes_takes(migrate: Migrate) -> None:
    found, told = migrate("-f", migrate.write("old.yaml", OLD))
    assert names(found) == [
        ("IPAddressPool", "my-pool"),
        ("IPAddressPool", "routed"),
        ("L2Advertisement", "l2advertisement1"),
        ("BGPPeer", "peer1"),
        ("BGPAdvertisement", "bgpadvertisement1"),
        ("BFDProfile", "fast-one"),
        ("Community", "communities"),
    ]
    by_kind = {each["kind"]: each["spec"] for each in found}
    assert by_kind["L2Advertisement"] == {"ipAddressPools": ["my-pool"]}
    assert by_kind["BGPPeer"]["bfdProfile"] == "fast-one"
    assert by_kind["BGPAdvertisement"] == {"ipAddressPools": ["routed"], "communities": ["no-export"]}
    assert [line for line in told if "My_Pool is called my-pool" in line and "metallb.io/address-pool" in line]


def test_what_is_printed_is_what_check_takes_both_ways(migrate: Migrate, capsys: pytest.CaptureFixture[str]) -> None:
    old = migrate.write("old.yaml", OLD)
    for form in ("resources", "settings"):
        main(["migrate", "-f", old, "-o", form])
        printed = capsys.readouterr().out
        assert main(["check", "-f", migrate.write(f"{form}.yaml", printed)]) == 0
        assert "my-pool" in capsys.readouterr().out


def test_resources_are_carried_over_as_they_are(migrate: Migrate) -> None:
    text = """apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: metallb-system, uid: x, labels: {zone: a}, annotations: {a: b}}
spec: {addresses: [10.0.0.0/24], autoAssign: true, serviceAllocation: {priority: 5, serviceSelectors: [{}]}}
"""
    found, told = migrate("-f", migrate.write("p.yaml", text))
    (pool,) = found
    assert pool["metadata"] == {"name": "p", "namespace": "metallb-system", "labels": {"zone": "a"}}
    assert pool["spec"] == {
        "addresses": ["10.0.0.0/24"],
        "serviceAllocation": {"priority": 5, "serviceSelectors": [{}]},
    }
    assert told == []
    settings, _ = migrate("-f", migrate.write("p.yaml", text), "-o", "settings")
    assert settings == [{"addressPools": [{"name": "p", "labels": {"zone": "a"}, **pool["spec"]}]}]


def test_flags_and_excluded_interfaces_become_settings_and_the_rest_is_told(migrate: Migrate) -> None:
    found, told = migrate("-f", migrate.write("all.yaml", f"{OLD}---\n{INSTALLED}"), "-o", "settings")
    (settings,) = found
    assert settings["kubernetes"] == {"loadBalancerClass": "x/y"}
    assert settings["membership"] == {"port": 7999}
    assert settings["log"] == {"level": "warning"}
    assert settings["layer2"] == {"excludeInterfaces": ["^docker.*", "^wlan"]}
    lost = [line for line in told if "cannot be carried over" in line]
    for word in ("--ignore-exclude-lb", "--unheard-of", "ConfigMap/bgpextras"):
        assert any(word in line for line in lost)
    assert len(lost) == 3
    _, told = migrate("-f", migrate.write("all.yaml", f"{OLD}---\n{INSTALLED}"))
    assert any("write it to /etc/speakerd.yaml" in line and '"port":7999' in line for line in told)


SPEAKER = "kind: DaemonSet\napiVersion: apps/v1\nmetadata: {name: speaker}\n"
EXCLUDES = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\ndata:"


def test_names_that_become_alike_are_told_apart(migrate: Migrate) -> None:
    given = ["Lan_A", "lan-a", "LAN-A", "a..b", "a._b", "x" * 70, "x" * 71]
    pools = [{"name": each, "protocol": "layer2", "addresses": [f"10.{i}.0.0/24"]} for i, each in enumerate(given)]
    metadata = {"name": "config", "namespace": "metallb-system"}
    old: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    old["data"] = {"config": yaml.safe_dump({"address-pools": pools})}
    found, told = migrate("-f", migrate.write("old.yaml", yaml.safe_dump(old)))
    made = [name for kind, name in names(found) if kind == "IPAddressPool"]
    assert made == ["lan-a-2", "lan-a", "lan-a-3", "a.b", "a.b-2", "x" * 63, f"{'x' * 59}-2"]
    assert len([line for line in told if "is called" in line]) == 6


@pytest.mark.parametrize(
    "text",
    [
        f"{SPEAKER}spec: 7\n",
        f"{SPEAKER}spec: {{template: [1]}}\n",
        "kind: DaemonSet\napiVersion: apps/v1\nmetadata: 7\n",
        f"{SPEAKER}spec: {{template: {{spec: {{containers: [null, x, {{name: speaker, args: 7}}]}}}}}}\n",
        f"{EXCLUDES} [excludel2.yaml]\n",
        f"{EXCLUDES} {{excludel2.yaml: 'announcedInterfacesToExclude: [2024-99-99]'}}\n",
    ],
)
def test_odd_objects_are_survived(migrate: Migrate, text: str) -> None:
    migrate("-f", migrate.write("odd.yaml", text), code=0)


def test_flags_in_two_words_and_a_port_that_is_none(migrate: Migrate) -> None:
    args = '["--lb-class", "example.com/x", "--namespace=12345", "--ml-bindport=99999"]'
    text = re.sub(r"args: \[.*\]", f"args: {args}", INSTALLED, count=1)
    found, told = migrate("-f", migrate.write("all.yaml", text), "-o", "settings", code=1)
    assert found[0]["kubernetes"] == {"loadBalancerClass": "example.com/x", "namespace": "12345"}
    assert any("99999 is no port" in line for line in told)


def test_what_is_dropped_is_an_error_and_nothing_is_applied(migrate: Migrate) -> None:
    text = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: 10.0.0.0/24}\n"
    found, told = migrate("-f", migrate.write("a.yaml", text), code=1)
    assert found == []
    assert "must be a list" in told[0]
    assert migrate("-f", migrate.write("a.yaml", text), "--apply", code=1)[0] == []


@pytest.mark.parametrize("value", ["12e45", "1e3", "0o17", "y", "on", "1:2", "null", "~", "007"])
def test_text_that_looks_like_something_else_is_quoted(
    migrate: Migrate, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    text = f"""apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: l2, namespace: metallb-system}}
spec: {{nodeSelectors: [{{matchExpressions: [{{key: a, operator: In, values: ["{value}"]}}]}}]}}
"""
    main(["migrate", "-f", migrate.write("in.yaml", text)])
    printed = capsys.readouterr().out
    assert f"'{value}'" in printed
    main(["check", "-f", migrate.write("out.yaml", printed), "-o", "json"])
    assert "wrong-type" not in capsys.readouterr().out


CHARM = """application: metallb
charm: metallb
settings:
  iprange: {default: true, value: "192.168.1.240 - 192.168.1.247, 10.0.0.0/28"}
  namespace: {value: lb}
  node-selector: {value: kubernetes.io/os=linux rack=a}
  metallb-release: {value: v0.13.10}
  image-registry: {}
"""


def test_the_charms_options_become_a_pool_and_its_announcement_on_the_same_nodes(migrate: Migrate) -> None:
    found, told = migrate("--charm", migrate.write("charm.yaml", CHARM))
    pool, advertisement = found
    assert pool["spec"] == {"addresses": ["192.168.1.240-192.168.1.247", "10.0.0.0/28"]}
    assert pool["metadata"] == {"name": "default", "namespace": "lb"}
    assert advertisement["spec"] == {
        "ipAddressPools": ["default"],
        "nodeSelectors": [{"matchLabels": {"rack": "a"}}],
    }
    assert any("metallb-release" in line for line in told)
    plain, _ = migrate("--charm", migrate.write("plain.yaml", "iprange: 10.0.0.0/28\n"))
    assert [each["spec"] for each in plain] == [{"addresses": ["10.0.0.0/28"]}, {"ipAddressPools": ["default"]}]


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.9-10.0.0.1", "10.0.0.1/28", "10.0.0.0/28,10.0.0.1-10.0.0.2", ""])
def test_a_range_that_the_charm_or_common_sense_refuses_is_refused(migrate: Migrate, text: str) -> None:
    found, told = migrate("--charm", migrate.write("charm.yaml", f"iprange: '{text}'\n"), code=1)
    assert found == []
    assert told
    assert told[0].startswith("error: iprange: ")


def test_what_microk8s_was_given_becomes_a_pool(migrate: Migrate) -> None:
    found, _ = migrate("--microk8s", "10.64.140.43-10.64.140.49,192.168.0.105-192.168.0.111")
    assert found[0]["spec"] == {"addresses": ["10.64.140.43-10.64.140.49", "192.168.0.105-192.168.0.111"]}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-f", "/none/at/all"], 2, "cannot be read"),
        (["--charm", "/none/at/all"], 2, "holds no options"),
    ],
)
def test_wrong_input_gets_one_clear_error(migrate: Migrate, arguments: list[str], code: int, said: str) -> None:
    _, told = migrate(*arguments, code=code)
    assert any(said in line for line in told)


def test_without_a_cluster_to_ask_that_is_said(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEAKERD_KUBERNETES_KUBECONFIG", "/none/at/all")
    _, told = migrate(code=1)
    assert told
    assert "/none/at/all" in told[0]
