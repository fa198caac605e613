"""MED and AS-path prepending: from annotations or from the settings file, and as written for either."""

import pytest
import yaml

from speakerd.config.file import resources
from speakerd.config.load import loaded_from
from speakerd.config.resolve import resolve
from speakerd.config.resources import MED, PREPEND, BGPAdvertisement, Metadata, Resources
from speakerd.config.sources import File
from speakerd.config.written import as_yaml, entries, manifests
from speakerd.peering import Route

LINE = "bgpAdvertisements: [{name: bgp, med: 0, asPathPrepend: 3}]"


def noted(**annotations: str) -> BGPAdvertisement:
    return BGPAdvertisement(Metadata("bgp", "ns", annotations={f"speakerd.io/{k}": v for k, v in annotations.items()}))


def of_file(text: str) -> tuple[Resources, list[str]]:
    found = loaded_from([File("s.yaml", text.encode())], {}, (), "h")
    told = [f"{each.object} {each.field} {each.reason}" for each in found.problems]
    return (resources(found.settings) if found.settings else Resources()), told


def test_annotations_and_the_settings_file_say_the_same() -> None:
    given = BGPAdvertisement(Metadata("bgp", "ns", annotations={MED: "0", PREPEND: "3"}))
    (by_object,) = resolve(Resources(routes=(given,))).routing.routes
    (by_file,) = resolve(Resources(), of_file(LINE)[0]).routing.routes
    assert (by_object.med, by_object.prepend) == (by_file.med, by_file.prepend) == (0, 3)
    assert resolve(Resources(routes=(noted(),))).routing.routes == (Route("bgp", origin="BGPAdvertisement/ns/bgp"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [("med: 4294967296", "med"), ("med: -1", "med"), ("med: x", "med"), ("asPathPrepend: 11", "asPathPrepend")],
)
def test_a_number_in_the_file_that_cannot_be_is_told_with_its_place(text: str, told: str) -> None:
    _, problems = of_file(f"bgpAdvertisements: [{{name: bgp, {text}}}]")
    assert len(problems) == 1
    assert f"bgpAdvertisements[0].{told} " in problems[0]
    assert problems[0].startswith("s.yaml:1:")


def test_a_fault_in_an_annotation_is_told_once_and_takes_the_advertisement_out_of_force() -> None:
    found = resolve(Resources(routes=(noted(med="1.5"),)))
    assert found.routing.routes == ()
    (problem,) = (each for each in found.problems if each.severity == "error")
    assert (problem.object, problem.field) == ("BGPAdvertisement/ns/bgp", "metadata.annotations[speakerd.io/med]")
    assert "'1.5'" in problem.message
    assert problem.remedy


def test_a_slip_in_the_name_of_an_annotation_is_told_and_others_annotations_are_not_looked_at() -> None:
    other = BGPAdvertisement(Metadata("bgp", "ns", annotations={"example.com/med": "x", "speakerd.io/mde": "5"}))
    found = resolve(Resources(routes=(other,)))
    told = {each.reason: (each.severity, each.remedy) for each in found.problems}
    assert told.pop("no-peer")[0] == "warning"
    assert told == {"unknown-annotation": ("warning", "did you mean speakerd.io/med?")}
    assert len(found.routing.routes) == 1


def test_every_number_in_which_two_contradict_each_other_is_told() -> None:
    one, two = noted(med="1", **{"as-path-prepend": "1"}), BGPAdvertisement(Metadata("other", "ns"))
    pools = of_file("addressPools: [{name: p, addresses: [10.0.0.0/24]}]")[0]
    found = resolve(Resources(routes=(one, two)), pools, {"a": {}})
    told = [each.field for each in found.problems if each.reason == "conflicting-advertisements"]
    assert told == [f"metadata.annotations[{MED}]", f"metadata.annotations[{PREPEND}]"]
    both = of_file("bgpAdvertisements: [{name: one, med: 1}, {name: two}]\n" + "iprange: 10.0.0.0/24")[0]
    found = resolve(Resources(), both, {"a": {}})
    assert [each.field for each in found.problems if each.reason == "conflicting-advertisements"] == ["med"]


def test_they_are_part_of_the_digest() -> None:
    digests = {resolve(Resources(routes=(noted(**asked),))).digest for asked in ({}, {"med": "1"}, {"med": "2"})}
    assert len(digests) == 3


def test_what_is_written_of_them_reads_back() -> None:
    given = resources(loaded_from([File("s.yaml", LINE.encode())], {}, (), "h").settings)  # type: ignore[arg-type]
    assert entries(given) == {"bgpAdvertisements": [{"name": "bgp", "asPathPrepend": 3, "med": 0}]}
    (manifest,) = manifests(given, "ns")
    assert manifest["metadata"]["annotations"] == {MED: "0", PREPEND: "3"}
    assert yaml.safe_load(as_yaml([manifest]))["metadata"]["annotations"][MED] == "0"
