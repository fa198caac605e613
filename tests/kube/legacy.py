"""A cluster as MetalLB 0.9 has it: a ConfigMap, and no resource."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.objects import METALLB, Object

CONFIG = """\
address-pools:
- name: lan-of-old
  protocol: layer2
  addresses: [10.99.13.0/28]
- name: routed
  protocol: bgp
  auto-assign: false
  addresses: [10.99.14.0/24]
  bgp-advertisements:
  - {aggregation-length: 32, localpref: 100, communities: [no-advertise]}
  - aggregation-length: 24
peers:
- {my-asn: 64512, peer-asn: 64513, peer-address: 10.99.0.254}
- my-asn: 64512
  peer-asn: 64513
  peer-address: 10.99.0.253
  node-selectors:
  - match-labels: {rack: one}
bgp-communities: {no-advertise: 65535:65282}
"""
"""All that it had: both protocols."""


def config_map(text: str) -> Object:
    """The ConfigMap that holds it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": objects.meta("config", METALLB),
        "data": {"config": text},
    }


@contextmanager
def configured(cluster: Cluster, text: str) -> Iterator[None]:
    """Within the block `text` is the configuration, and the resources of all tests are not there."""
    kept = [
        cluster.get(kind, "lan", METALLB) or pytest.fail("there is no pool")
        for kind in ("IPAddressPool", "L2Advertisement")
    ]
    for each in kept:
        cluster.delete(each["kind"], "lan", METALLB)
    cluster.create(config_map(text))
    try:
        yield
    finally:
        cluster.delete("ConfigMap", "config", METALLB)
        for each in kept:
            cluster.create({**each, "metadata": objects.meta("lan", METALLB)})
