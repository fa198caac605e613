"""MetalLB's rules, each by its id, through the public JSON of `speakerd plan`."""

import io
import json
import sys

import pytest

from speakerd.cli import main
from tests.forms import Object
from tests.rules import RULES
from tests.rules.clusters import Rule


def planned(rule: Rule, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Object:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*rule.objects]})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["plan", "-f", "-", "-o", "json"]) == 0
    found: Object = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_rule_holds(rule: Rule, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(rule, monkeypatch, capsys)
    told = {each["name"]: (each["result"], each["ips"], each["reason"]) for each in found["services"]}
    assert {name: told[name] for name in rule.services} == rule.services, rule.says
    if rule.announced:
        (service,) = [each for each in found["services"] if each["name"] == "s"]
        assert tuple(service["announce"]) == rule.announced, rule.says
    counts = {each["name"]: (each["total"], each["inUse"]) for each in found["pools"]}
    assert {name: counts[name] for name in rule.pools} == rule.pools, rule.says
    assert rule.services or rule.announced or rule.pools
