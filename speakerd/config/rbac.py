"""What the agent may do in the cluster, and no more, as manifests for kubectl apply."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from speakerd.config.written import as_yaml

NAME = "speakerd"
GROUP = "rbac.authorization.k8s.io"
LOOK = ("list", "watch")


class Right(Struct, frozen=True):
    """Verbs on resources of one group; `names`: on these objects alone."""

    group: str
    resources: Sequence[str]
    verbs: Sequence[str]
    names: Sequence[str] = ()

    @property
    def rule(self) -> Mapping[str, Any]:
        """A PolicyRule."""
        named = {"resourceNames": [*self.names]} if self.names else {}
        return {"apiGroups": [self.group], "resources": [*self.resources], **named, "verbs": [*self.verbs]}


EVERYWHERE = (
    Right("", ("services", "nodes", "namespaces"), LOOK),
    Right("discovery.k8s.io", ("endpointslices",), LOOK),
    Right("", ("services/status",), ("patch",)),
    Right("", ("events",), ("create",)),
)
HERE = (
    Right("coordination.k8s.io", ("leases",), ("get", *LOOK, "create", "update", "patch", "delete")),
    Right("", ("secrets",), LOOK, ("memberlist",)),
    Right("", ("secrets",), ("create",)),
    Right("", ("configmaps",), LOOK, ("config",)),
    Right("metallb.io", ("ipaddresspools", "l2advertisements"), LOOK),
    Right("metallb.io", ("bgppeers", "bgpadvertisements", "bfdprofiles", "communities"), LOOK),
    Right("metallb.io", ("ipaddresspools/status",), ("patch",)),
    Right("metallb.io", ("configurationstates",), ("get", "create", "delete")),
    Right("metallb.io", ("configurationstates/status",), ("patch",)),
    Right("metallb.io", ("servicel2statuses", "servicebgpstatuses"), ("list", "create", "delete")),
    Right("metallb.io", ("servicel2statuses/status", "servicebgpstatuses/status"), ("patch",)),
)
"""In the namespace of MetalLB's resources; a Secret cannot be created under one name alone."""


def rbac(namespace: str, secrets: Sequence[str] = ()) -> str:
    """The namespace, a service account in it, its roles and their bindings.

    `secrets`: names of those with passwords of BGP sessions; no others may be read, for hosts' tokens are among them.
    """
    named = Right("", ("secrets",), LOOK, secrets)
    meta, here = {"name": NAME}, {"name": NAME, "namespace": namespace}
    role = {"apiVersion": f"{GROUP}/v1"}
    subjects = [{"kind": "ServiceAccount", **here}]
    every: tuple[dict[str, Any], ...] = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        {**role, "kind": "ClusterRole", "metadata": meta, "rules": _rules(EVERYWHERE)},
        {**role, "kind": "ClusterRoleBinding", "metadata": meta, "roleRef": _ref("ClusterRole"), "subjects": subjects},
        {**role, "kind": "Role", "metadata": here, "rules": _rules((*HERE, named) if secrets else HERE)},
        {**role, "kind": "RoleBinding", "metadata": here, "roleRef": _ref("Role"), "subjects": subjects},
    )
    return as_yaml([*every])


def _rules(rights: Sequence[Right]) -> list[Mapping[str, Any]]:
    return [each.rule for each in rights]


def _ref(kind: str) -> Mapping[str, str]:
    return {"apiGroup": GROUP, "kind": kind, "name": NAME}
