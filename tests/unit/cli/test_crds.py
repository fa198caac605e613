"""`speakerd crds` prints what kubectl apply takes."""

from typing import Any

import pytest
import yaml

from speakerd.cli import main


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    assert main(["crds", *options]) == 0
    return [*yaml.safe_load_all(capsys.readouterr().out)]


def test_without_policies_the_definitions_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    every = printed(capsys, "--no-policies")
    assert {each["kind"] for each in every} == {"CustomResourceDefinition"}
    assert [each["spec"]["names"]["kind"] for each in every] == [
        "IPAddressPool",
        "L2Advertisement",
        "BGPPeer",
        "BGPAdvertisement",
        "BFDProfile",
        "Community",
        "ServiceL2Status",
        "ServiceBGPStatus",
        "ConfigurationState",
    ]


def test_policies_come_after_the_definitions_each_before_its_binding(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [each["kind"] for each in printed(capsys)]
    policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert kinds == ["CustomResourceDefinition"] * 9 + policy * 2


def test_another_namespace_and_class_are_in_the_policies(capsys: pytest.CaptureFixture[str]) -> None:
    services, _, namespaces, _ = printed(capsys, "--namespace", "lb", "--load-balancer-class", "example.com/x")[-4:]
    conditions = {each["name"]: each["expression"] for each in services["spec"]["matchConditions"]}
    assert conditions["served"].endswith('== "example.com/x"')
    (rule,) = namespaces["spec"]["validations"]
    assert rule["expression"] == 'request.namespace == "lb"'
    assert rule["message"].endswith("speakerd reads namespace lb")
