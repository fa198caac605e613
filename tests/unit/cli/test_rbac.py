"""`speakerd rbac` prints what kubectl apply takes, and nothing that the agent does not need."""

from typing import Any

import pytest
import yaml

from speakerd.cli import main


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, object]]:
    assert main(["rbac", *options]) == 0
    return {each["kind"]: each for each in yaml.safe_load_all(capsys.readouterr().out)}


def test_an_account_and_its_rights_are_printed_in_the_order_in_which_they_depend(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert list(printed(capsys)) == kinds


def test_another_namespace_is_in_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--namespace", "lb")
    places = [each["metadata"].get("namespace") for each in found.values()]  # type: ignore[attr-defined]
    assert places == [None, "lb", None, None, "lb", "lb"]
    account = {"kind": "ServiceAccount", "name": "speakerd", "namespace": "lb"}
    assert found["ClusterRoleBinding"]["subjects"] == found["RoleBinding"]["subjects"] == [account]


@pytest.mark.parametrize("kind", ["ClusterRole", "Role"])
def test_no_right_is_for_everything(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    rules = printed(capsys)[kind]["rules"]
    assert "*" not in str(rules)
    assert "escalate" not in str(rules)


def test_secrets_may_be_read_by_name_alone_and_those_of_peers_where_they_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def readable(*options: str) -> list[object]:
        rules: Any = printed(capsys, *options)["Role"]["rules"]
        looks = [each for each in rules if each["resources"] == ["secrets"] and "watch" in each["verbs"]]
        return [each["resourceNames"] for each in looks]

    assert readable() == [["memberlist"]]
    assert readable("--secret", "tor", "--secret", "spine") == [["memberlist"], ["tor", "spine"]]


def test_a_kubeconfig_is_made_for_names_that_a_host_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rbac", "--kubeconfig", "Worker_1"]) == 2
    assert "'Worker_1' is no name of a host" in capsys.readouterr().err


def test_without_a_cluster_to_ask_no_kubeconfig_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERD_KUBERNETES_KUBECONFIG", "/none/at/all")
    assert main(["rbac", "--kubeconfig", "worker-1"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "/none/at/all" in told.err
