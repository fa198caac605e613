"""The options of `snap set`: few, named as its users would, refused in the charm's words."""

import pytest

from speakerd.config.options import OPTIONS, faults, news, written


def said(**asked: object) -> list[str]:
    return [f"{each.object}: {each.message} ({each.remedy})" for each in faults(asked)]


def test_every_option_is_a_key_of_the_settings() -> None:
    text = "\n".join(
        f"{path[0]}: {{{path[1]}: x}}" if len(path) > 1 else f"{path[0]}: x"
        for path in OPTIONS.values()
        if path[0] != "kubernetes"
    )
    text += "\nkubernetes: {kubeconfig: x, namespace: x, loadBalancerClass: x}"
    assert written(text) == dict.fromkeys(OPTIONS, "x")


def test_an_unknown_option_names_the_nearest() -> None:
    assert said(**{"ip-range": "a"}) == ["ip-range: unknown option (did you mean iprange?)"]
    (text,) = said(bgp="x")
    assert "metallb-speaker check --example" in text


@pytest.mark.parametrize("value", ["", "  ", " , ".replace(",", "")])
def test_an_empty_iprange_is_refused_as_the_charm_does(value: str) -> None:
    assert said(iprange=value)[0].startswith("iprange: Invalid iprange: iprange must not be empty")


def test_a_document_is_no_value() -> None:
    assert said(iprange=["a"], **{"node-name": {"a": 1}})[0].startswith("iprange: iprange must be a single value")


def test_numbers_and_booleans_of_snapd_are_text() -> None:
    assert news({"node-name": 7, "namespace": True}, {}) == {"node-name": "7", "namespace": "true"}


def test_only_what_is_new_is_edited() -> None:
    before = {"iprange": "a", "log-level": "info"}
    assert news({"iprange": "a", "log-level": "debug"}, before) == {"log-level": "debug"}
    assert news({"iprange": "a"}, before) == {"log-level": None}
    assert news(before, before) == {}
