"""`speakerd crds` prints what kubectl apply takes."""

import pytest
import yaml

from speakerd.cli import main


def test_the_manifests_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0
    kinds = [each["kind"] for each in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds == ["CustomResourceDefinition"] * 3
