"""What `status` tells is what is so, and what needs an operator has a finding."""

from ipaddress import ip_address

import pytest

from speakerd import diagnosis, report
from speakerd.findings import Finding
from speakerd.model import (
    IP,
    Assignment,
    Candidate,
    Claim,
    Interface,
    Observed,
    Plan,
    Problem,
    Reason,
    Vip,
    Wanted,
)
from speakerd.report import (
    ApiReport,
    ConfigurationReport,
    InterfaceReport,
    KindReport,
    NodeReport,
    ProcessesReport,
    Report,
    ServiceReport,
    VipReport,
)

ONE: IP = ip_address("10.0.0.1")
TWO: IP = ip_address("10.0.0.2")
ETH0 = Interface(2, "eth0", mac=bytes.fromhex("020000000bbb"), carrier=True, usable=True)
ETH1 = Interface(3, "eth1", mac=bytes.fromhex("020000000ccc"), carrier=True, usable=True)


def fine() -> Report:
    """A node with nothing to complain of."""
    return Report(
        node=NodeReport("a", "1", "2026-01-01T00:00:00Z", known=True),
        processes=ProcessesReport(1, 2, 3),
        api=ApiReport(connected=True, server="https://s", credentials="/k"),
        configuration=ConfigurationReport(valid=True, digest="d", pools=["p"], problems=[]),
        allocator="a",
        members=["a", "b"],
        interfaces=[InterfaceReport("eth0", "02:00:00:00:0b:bb", carrier=True, usable=True)],
    )


def words(told: Report) -> list[str]:
    return [each.finding for each in diagnosis.found(told)]


def plan(*vips: Vip, refused: dict[tuple[str, IP], Reason] | None = None) -> Plan:
    given = {"default/web": Assignment((ONE,), "p")}
    return Plan(given, Wanted("a", {vip.ip: vip for vip in vips}, ((Candidate("a"),),)), refused=refused or {})


def test_a_vip_answered_here_shows_interfaces_and_mac() -> None:
    claim = Claim(ONE.packed, 2, "a", 10.0, "first")
    (vip,) = report.vips(plan(Vip(ONE.packed, "default/web", ONE.packed, 0)), observed(claim), 1000.0)
    assert (vip.owner, vip.epoch, vip.cause, vip.since) == ("a", 2, "first", "1970-01-01T00:16:50Z")
    assert (vip.interfaces, vip.mac) == (["eth0", "eth1"], "02:00:00:00:0b:bb")


def observed(*claims: Claim) -> Observed:
    return Observed((ETH0, ETH1), {claim.ip: claim for claim in claims})


def test_named_interfaces_are_the_only_ones_shown() -> None:
    row = Vip(ONE.packed, "default/web", ONE.packed, 0, ("eth1",))
    (vip,) = report.vips(plan(row), observed(Claim(ONE.packed, 1, "a", 0.0, "first", ("eth1",))), 0.0)
    assert vip.interfaces == ["eth1"]


def test_a_vip_answered_elsewhere_shows_who_answers_and_no_interface_of_ours() -> None:
    row = Vip(ONE.packed, "default/web", ONE.packed, 0)
    (vip,) = report.vips(plan(row), observed(Claim(ONE.packed, 1, "b", 0.0, "first")), 0.0)
    assert (vip.owner, vip.interfaces, vip.mac) == ("b", [], "")


def test_an_address_nobody_announces_is_shown_with_the_reason() -> None:
    (vip,) = report.vips(plan(refused={("default/web", TWO): Reason.NO_ENDPOINTS}), Observed(), 0.0)
    assert (vip.ip, vip.owner, vip.reason) == ("10.0.0.2", "", "no-endpoints")


def test_a_node_without_trouble_has_no_finding() -> None:
    assert words(fine()) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"api": ApiReport(error="no kubeconfig found")}, Finding.NO_CREDENTIALS),
        ({"api": ApiReport(server="s", credentials="/k", error="refused")}, Finding.API_UNREACHABLE),
        ({"api": ApiReport(server="s", credentials="/k", error="403 Forbidden")}, Finding.API_FORBIDS),
        (
            {"api": ApiReport(connected=True, server="s", credentials="/k", failing={"record": "403 Forbidden: no"})},
            Finding.API_FORBIDS,
        ),
        ({"node": NodeReport("a", "1", "")}, Finding.NODE_UNKNOWN),
        ({"node": NodeReport("a", "1", "", known=True, excluded=True)}, Finding.NODE_EXCLUDED),
        ({"node": NodeReport("a", "1", "", known=True, network_unavailable=True)}, Finding.NETWORK_UNAVAILABLE),
        ({"allocator": ""}, Finding.NO_ALLOCATOR),
        ({"interfaces": []}, Finding.NO_INTERFACE),
        ({"processes": ProcessesReport(1, 2)}, Finding.ANNOUNCER_DOWN),
        ({"processes": ProcessesReport(1, 2, 3, announcer_restarts=3)}, Finding.ANNOUNCER_RESTARTS),
        ({"processes": ProcessesReport(1, 2, 3, missing=["locked memory"])}, Finding.HOST_REFUSES),
        ({"processes": ProcessesReport(1, 2, 3, missing=["raw sockets"])}, Finding.NO_RAW_SOCKETS),
        (
            {"services": [ServiceReport("d", "s", [], "", Reason.NO_FREE_ADDRESS, "full")]},
            Finding.SERVICE_UNSERVED,
        ),
        ({"vips": [VipReport("10.0.0.1", "d/s", reason="no-endpoints")]}, Finding.ADDRESS_UNANNOUNCED),
    ],
)
def test_each_trouble_has_its_finding(change: dict[str, object], word: Finding) -> None:
    told = fine()
    for name, value in change.items():
        setattr(told, name, value)
    assert words(told) == [word]


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_problems_of_settings_and_configuration_are_told_apart_by_severity(severity: str) -> None:
    told = fine()
    problem = Problem("/etc/speakerd.yaml:3:1", "log.level", "bad", "what", "remedy", severity)  # type: ignore[arg-type]
    told.configuration.problems = [problem]
    told.configuration.reload_problems = [problem]
    expected = {
        "error": {Finding.SETTINGS_REFUSED, Finding.CONFIGURATION_INVALID},
        "warning": {Finding.SETTINGS_DOUBTFUL, Finding.CONFIGURATION_DOUBTFUL},
    }
    assert set(words(told)) == expected[severity]


def test_a_cluster_without_pools_is_told_whether_it_could_have_any() -> None:
    told = fine()
    told.configuration.pools = []
    assert words(told) == [Finding.NO_POOL]
    told.api.kinds = [KindReport("IPAddressPool", 0, synced=True, absent=True)]
    assert set(words(told)) == {Finding.RESOURCES_MISSING, Finding.NO_POOL}


def test_errors_come_before_warnings() -> None:
    told = fine()
    told.processes.missing = ["locked memory"]
    told.interfaces = []
    assert words(told) == [Finding.NO_INTERFACE, Finding.HOST_REFUSES]


def test_a_thousand_services_without_addresses_are_told_a_hundred_times_at_most() -> None:
    told = fine()
    told.services = [ServiceReport("d", str(i), [], "", Reason.NO_FREE_ADDRESS) for i in range(1000)]
    assert len(words(told)) == diagnosis.MOST


def test_the_line_tells_what_counts() -> None:
    told = fine()
    told.vips = [VipReport("10.0.0.1", "d/s", owner="a"), VipReport("10.0.0.2", "d/t", owner="b")]
    assert report.line(told) == "a: 2 VIPs, 1 answered here; 1 of 2 members alive; API connected; allocator a"
    told.services = [ServiceReport("d", "u", [], "", Reason.NO_FREE_ADDRESS)]
    told.api = ApiReport(server="s", credentials="/k", error="refused")
    told.findings = diagnosis.found(told)
    text = report.line(told)
    assert "API not reachable (refused)" in text
    assert "1 Services wait for an address" in text
    assert "2 findings (1 errors): api-unreachable" in text
