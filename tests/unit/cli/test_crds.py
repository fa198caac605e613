"""`speakerd crds` prints what kubectl apply takes."""

import pytest
import yaml

from speakerd.cli import main


def test_the_manifests_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0
    every = [*yaml.safe_load_all(capsys.readouterr().out)]
    assert {each["kind"] for each in every} == {"CustomResourceDefinition"}
    assert [each["spec"]["names"]["kind"] for each in every] == [
        "IPAddressPool",
        "L2Advertisement",
        "BGPPeer",
        "BGPAdvertisement",
        "BFDProfile",
        "Community",
        "ServiceL2Status",
        "ConfigurationState",
    ]
