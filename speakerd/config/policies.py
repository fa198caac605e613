"""What CustomResourceDefinitions cannot say, as ValidatingAdmissionPolicies that warn and never refuse.

Kubernetes 1.30 takes them; only functions that it has for a new policy are used, hence patterns for addresses.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from speakerd.config.lastgood import KINDS
from speakerd.config.schemas import IPV4, Schema, plural
from speakerd.config.written import as_yaml
from speakerd.model import Reason

GROUP = "admissionregistration.k8s.io"
SERVICES = "speakerd-services"
NAMESPACES = "speakerd-namespace"
IP_LENGTH = 45
"""The longest address; it also bounds what the patterns cost."""
HEX = "[0-9a-fA-F]{1,4}"
WHOLE = rf"({HEX}:){{6}}({HEX}:{HEX}|{IPV4})"
SHORT = rf"({HEX}(:{HEX})*)?::(({HEX}:)*({HEX}|{IPV4}))?"
"""IPv6 with groups left out; that few enough are given is counted."""
PIECE = r"[0-9a-fA-F.]+"
MAPPED = rf"((0{{0,4}}:)+[fF]{{4}}:({HEX}:{HEX}|{IPV4})|(0{{1,4}}:){{5}}[fF]{{4}}:(:({HEX})?|{HEX}::))"
"""Of IPv6 addresses those that stand for one of IPv4."""
TEXT_SHOWN = 100
"""Characters of what was asked for, as in events."""
NOTE = "loadBalancerIPs"
ASKED = "what is asked for"
WARNINGS: Mapping[Reason, tuple[str, ...]] = {
    Reason.TWO_REQUESTS: (
        f"annotation metallb.io/{NOTE} and spec.loadBalancerIP are both given: keep the annotation alone",
    ),
    Reason.MALFORMED_ADDRESS: ("is not an address or a pair: write 192.0.2.10 or 192.0.2.10,2001:db8::10", ASKED),
    Reason.BAD_COMBINATION: (
        "is more than one address of each family: keep one, or one of IPv4 and one of IPv6",
        ASKED,
    ),
}
"""What is said, as in the event that the Service gets, and the remedy; and of what, where its text cannot be shown."""


def policies(namespace: str, load_balancer_class: str) -> str:
    """The manifests, for kubectl apply.

    `namespace`: where MetalLB's resources are read; `load_balancer_class`: of the Services served, as in the settings.
    """
    return as_yaml([*_of_services(load_balancer_class), *_of_namespaces(namespace)])


def _of_services(load_balancer_class: str) -> tuple[dict[str, Any], ...]:
    """Requests for addresses that `annotations.request` cannot read."""
    served = f"object.spec.?loadBalancerClass.orValue('') == {json.dumps(load_balancer_class)}"
    spec = {
        "matchConstraints": _matching("", ("services",)),
        "matchConditions": [
            {"name": "balanced", "expression": "object.spec.?type.orValue('') == 'LoadBalancer'"},
            {"name": "served", "expression": served},
        ],
        "variables": [{"name": name, "expression": expression} for name, expression in _variables().items()],
        "validations": [_unless(reason, *message) for reason, message in WARNINGS.items()],
    }
    return _bound(SERVICES, spec)


def _variables() -> dict[str, str]:
    """From what is written to what is wrong with it, as `annotations.request` reads it."""
    notes = "object.metadata.?annotations"
    short = f"p.matches(r'^{SHORT}$') && size(p.findAll(r'{PIECE}')) + (p.contains('.') ? 1 : 0) <= 7"
    family = (
        f"size(p) > {IP_LENGTH} ? 0 : p.matches(r'^{IPV4}$') ? 4 :"
        f" !(p.matches(r'^{WHOLE}$') || ({short})) ? 0 : p.matches(r'^{MAPPED}$') ? 4 : 6"
    )
    many = "size(variables.parts) > 2"
    same = "size(variables.families) == 2 && variables.families[0] == variables.families[1]"
    fault = (
        f"variables.note != '' && variables.field != '' ? '{Reason.TWO_REQUESTS}' :"
        f" variables.wanted == '' ? '' : {many} ? '{Reason.BAD_COMBINATION}' :"
        f" 0 in variables.families ? '{Reason.MALFORMED_ADDRESS}' : {same} ? '{Reason.BAD_COMBINATION}' : ''"
    )
    return {
        "note": f"{notes}[?'metallb.io/{NOTE}'].or({notes}[?'metallb.universe.tf/{NOTE}']).orValue('')",
        "field": "object.spec.?loadBalancerIP.orValue('')",
        "wanted": "variables.note != '' ? variables.note : variables.field",
        "parts": "variables.wanted.split(',', 3).map(p, p.trim())",
        "families": f"variables.parts.map(p, {family})",
        "fault": fault,
        # A warning with control characters in it is never sent.
        "shown": f"(size(variables.wanted) > {TEXT_SHOWN} ? variables.wanted.substring(0, {TEXT_SHOWN})"
        r" : variables.wanted).findAll(r'\PC+').join(' ')",
    }


def _unless(reason: Reason, message: str, subject: str = "") -> Schema:
    """Warn where this is the fault; `subject`: what the message is about, unless it shows the text itself."""
    found: dict[str, Any] = {"expression": f"variables.fault != '{reason}'", "message": f"{subject} {message}".strip()}
    if subject:
        found["messageExpression"] = f"""'"' + variables.shown + '" {message}'"""
    return found


def _of_namespaces(namespace: str) -> tuple[dict[str, Any], ...]:
    """Resources where nobody reads them."""
    warning = {
        "expression": f"request.namespace == {json.dumps(namespace)}",
        "message": f"counts for nothing here: speakerd reads namespace {namespace}",
    }
    resources = tuple(plural(kind) for kind in KINDS.values())
    return _bound(NAMESPACES, {"matchConstraints": _matching("metallb.io", resources), "validations": [warning]})


def _matching(group: str, resources: Sequence[str]) -> Schema:
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [*resources]}
    return {"resourceRules": [rule]}


def _bound(name: str, spec: Schema) -> tuple[dict[str, Any], ...]:
    """A policy and its binding; what goes wrong in it stops nobody."""
    meta = {"name": name, "labels": {"app.kubernetes.io/name": "speakerd"}}
    head = {"apiVersion": f"{GROUP}/v1"}
    return (
        {**head, "kind": "ValidatingAdmissionPolicy", "metadata": meta, "spec": {"failurePolicy": "Ignore", **spec}},
        {
            **head,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": meta,
            "spec": {"policyName": name, "validationActions": ["Warn"]},
        },
    )
