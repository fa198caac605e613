"""The settings file's pools and advertisements are the same objects the API holds."""

from speakerd.config.file import resources
from speakerd.config.load import loaded_from
from speakerd.config.resources import (
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
    Resources,
)
from speakerd.config.sources import File
from speakerd.settings import Settings

TEXT = b"""\
addressPools:
- name: lan
  labels: {zone: a}
  addresses: [192.0.2.0/24]
  avoidBuggyIPs: true
l2Advertisements:
- name: lan
  ipAddressPoolSelectors: [{matchLabels: {zone: a}}]
  interfaces: [eth0]
"""


def test_settings_without_pools_hold_no_resources() -> None:
    assert resources(Settings()) == Resources()


def test_iprange_is_a_pool_and_its_advertisement() -> None:
    found = resources(Settings(iprange="10.0.0.1 - 10.0.0.9, 10.1.0.0/24"))
    spec = IPAddressPoolSpec(("10.0.0.1-10.0.0.9", "10.1.0.0/24"))
    assert found.pools == (IPAddressPool(Metadata("default"), spec),)
    assert found.advertisements == (L2Advertisement(Metadata("default"), L2AdvertisementSpec(("default",))),)
    assert set(found.places.values()) == {"iprange"}


def test_entries_are_objects_that_know_where_they_stand() -> None:
    settings = loaded_from([File("s.yaml", TEXT)], {}, (), "h").settings
    assert settings
    selector = LabelSelector({"zone": "a"})
    assert resources(settings) == Resources(
        (IPAddressPool(Metadata("lan", labels={"zone": "a"}), IPAddressPoolSpec(("192.0.2.0/24",), True, True)),),
        (L2Advertisement(Metadata("lan"), L2AdvertisementSpec((), (selector,), interfaces=("eth0",))),),
        {"IPAddressPool/lan": "s.yaml:2:3", "L2Advertisement/lan": "s.yaml:7:3"},
    )
