"""Policies warn and refuse nothing, and what they take for an address is one."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from speakerd.config.policies import IP_LENGTH, MAPPED, PIECE, SHORT, WHOLE, policies
from speakerd.config.schemas import IPV4

EVERY = [*yaml.safe_load_all(policies("lb", ""))]
POLICIES = [each for each in EVERY if each["kind"] == "ValidatingAdmissionPolicy"]
BINDINGS = [each for each in EVERY if each["kind"] == "ValidatingAdmissionPolicyBinding"]


def names(manifests: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in manifests]


def test_each_policy_is_bound_to_warn_alone_and_stops_nobody_when_it_fails() -> None:
    assert [each["spec"]["policyName"] for each in BINDINGS] == names(POLICIES) == names(BINDINGS)
    assert [each["spec"]["validationActions"] for each in BINDINGS] == [["Warn"]] * len(POLICIES)
    assert {each["spec"]["failurePolicy"] for each in POLICIES} == {"Ignore"}


def test_objects_that_we_write_ourselves_are_not_looked_at() -> None:
    looked_at = {
        resource
        for each in POLICIES
        for rule in each["spec"]["matchConstraints"]["resourceRules"]
        for resource in rule["resources"]
    }
    assert looked_at == {
        *("services", "ipaddresspools", "l2advertisements"),
        *("bgppeers", "bgpadvertisements", "bfdprofiles", "communities"),
    }


def test_a_message_that_shows_what_was_written_has_another_for_when_it_cannot() -> None:
    rules = [rule for each in POLICIES for rule in each["spec"]["validations"]]
    assert all(rule["message"] for rule in rules)
    assert any("messageExpression" in rule for rule in rules)


def test_what_comes_from_the_command_line_is_quoted() -> None:
    services, _, namespaces, _ = yaml.safe_load_all(policies('a"b', "c\\d"))
    assert namespaces["spec"]["validations"][0]["expression"] == r'request.namespace == "a\"b"'
    assert services["spec"]["matchConditions"][1]["expression"].endswith(r'== "c\\d"')


def family(text: str) -> int:
    """What the policy's expression comes to, said in Python; 0: no address."""

    def like(pattern: str) -> bool:
        return bool(re.fullmatch(pattern, text))

    if len(text) > IP_LENGTH:
        return 0
    if like(IPV4):
        return 4
    short = like(SHORT) and len(re.findall(PIECE, text)) + ("." in text) <= 7
    return 0 if not (like(WHOLE) or short) else 4 if like(MAPPED) else 6


def meant(text: str) -> int:
    try:
        found = ip_address(text)
    except ValueError:
        return 0
    if isinstance(found, IPv6Address):
        return 0 if found.scope_id else 4 if found.ipv4_mapped else 6
    return 4


PARTS = st.sampled_from(("0", "1", "::", ":", "ffff", "FFFF", "fd00", "10.0.0.1", "256", "0:0:0:", "."))


@given(st.lists(PARTS, max_size=10).map("".join))
@example("::ffff:1.2.3.4")
@example("0:0:0:0:0:ffff::")
@example("0:0:0:0:0:ffff::1")
@example("0:0:0:0:0:ffff:1::")
@example("0:ffff::1")
@example("::ffff:0:1.2.3.4")
@example("1:2:3:4:5:6:7::")
@example("::2:3:4:5:6:7:8")
@example("::1:2:3:4:5:6:7:8")
def test_a_text_is_an_address_of_a_family_where_it_is_one_for_us(text: str) -> None:
    assert family(text) == meant(text)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "1.2.3.4\n", "::1\n", "1" * 1000, "0000:" * 7 + "0000"])
def test_odd_texts_are_judged_as_we_judge_them(text: str) -> None:
    assert family(text) == meant(text)
