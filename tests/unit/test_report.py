"""What `status` tells is what is so, and what needs an operator has a finding."""

from ipaddress import ip_address

import msgspec
import pytest

from speakerd import conditions, diagnosis, report, snap
from speakerd.decision import Plan
from speakerd.exchange import Candidate, Claim, Facts, MemberSeen, Observed, Vip, Wanted
from speakerd.findings import Finding
from speakerd.membership import transport
from speakerd.model import IP, Assignment, Interface, Problem, Reason
from speakerd.report import (
    ApiReport,
    ConfigurationReport,
    Counts,
    InterfaceReport,
    KindReport,
    MemberReport,
    NodeReport,
    ProcessesReport,
    Report,
    ServiceReport,
    Unusable,
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


CONDITIONS = (
    Finding.MEMBERSHIP_BLOCKED,
    Finding.MEMBERSHIP_PORT_TAKEN,
    Finding.MEMBERSHIP_NOT_LISTENING,
    Finding.ETHERNET_CARRIER_BLOCKED,
    Finding.NO_MESH_KEY,
    Finding.ALONE,
    Finding.TWO_BOOTS,
    Finding.MEMBER_STALLED,
    Finding.OTHER_SPEAKER,
    Finding.STRANGER,
    Finding.CRASH_LOOP,
    Finding.UNHEARD,
    Finding.PROXY,
    Finding.BOUND_HERE,
    Finding.SEGMENT_SILENT,
    Finding.HTTP_NOT_SERVED,
    Finding.POOLS_DIFFER,
)
"""What the announcer observes under the word of its finding."""


def unheard(name: str, lasted: float = 60.0) -> MemberReport:
    return MemberReport(name, "unheard", "", None, None, [], 0.075, drained=False, lasted=lasted)


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


@pytest.mark.parametrize(
    ("candidates", "name", "reason"), [(("a",), "eth7", "no-interface"), (("a",), "eth1", ""), (("b",), "eth7", "")]
)
def test_what_nobody_answers_for_since_its_interfaces_are_not_here_says_so(
    candidates: tuple[str, ...], name: str, reason: str
) -> None:
    row = Vip(ONE.packed, "default/web", ONE.packed, 0, (name,))
    wanted = Wanted("a", {row.ip: row}, (tuple(map(Candidate, candidates)),))
    (vip,) = report.vips(Plan({}, wanted), observed(), 0.0)
    assert vip.reason == reason


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
        ({"api": ApiReport(server="s", credentials="/k", error="401 Unauthorized")}, Finding.CREDENTIALS_REFUSED),
        (
            {
                "api": ApiReport(
                    connected=True, server="s", credentials="/k", unusable=Unusable("/k", "not YAML", "mend")
                )
            },
            Finding.CREDENTIALS_UNUSABLE,
        ),
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
        ({"processes": ProcessesReport(1, 2, 3, not_connected=["a:network-observe"])}, Finding.SNAP_NOT_CONNECTED),
        (
            {"services": [ServiceReport("d", "s", [], "", Reason.NO_FREE_ADDRESS, "full")]},
            Finding.SERVICE_UNSERVED,
        ),
        ({"vips": [VipReport("10.0.0.1", "d/s", reason="no-endpoints")]}, Finding.ADDRESS_UNANNOUNCED),
        ({"node": NodeReport("a", "1", "", known=True, drained=True)}, Finding.DRAINED),
        ({"member_states": [unheard("b")]}, Finding.MEMBER_UNHEARD),
        *[({"conditions": {word: "b"}}, word) for word in CONDITIONS],
    ],
)
def test_each_trouble_has_its_finding(change: dict[str, object], word: Finding) -> None:
    told = fine()
    for name, value in change.items():
        setattr(told, name, value)
    assert words(told) == [word]


def test_a_condition_is_told_with_whom_it_concerns_or_as_this_node_s() -> None:
    told = fine()
    told.conditions = {"membership-blocked": "b, c", "alone": "hears no other member, or is heard by none"}
    alone, blocked = diagnosis.found(told)
    assert (blocked.finding, blocked.object, alone.object) == ("membership-blocked", "b, c", "Node/a")
    assert "7946" in blocked.remedy
    assert "both directions" in blocked.remedy


@pytest.mark.parametrize("state", ["dead", "unheard"])
def test_an_address_whose_owner_is_gone_is_told(state: str) -> None:
    told = fine()
    told.vips = [VipReport("10.0.0.1", "d/s", owner="b"), VipReport("10.0.0.2", "d/t", owner="a")]
    told.member_states = [MemberReport("b", state, "", None, None, [], 0.075, drained=False)]
    (found,) = diagnosis.found(told)
    assert (found.finding, found.object) == (Finding.ADDRESS_UNANNOUNCED, "10.0.0.1 of d/s")
    assert found.message == f"b answered for it and is {state}; nobody has taken over"


def test_a_thousand_names_in_a_condition_are_cut() -> None:
    told = fine()
    told.conditions = {"member-stalled": ", ".join(f"node-{i}" for i in range(1000))}
    assert len(diagnosis.found(told)[0].object) == diagnosis.MOST_DETAIL


def test_a_member_that_was_just_recorded_is_given_time_and_one_alone_needs_no_list_of_them() -> None:
    told = fine()
    told.member_states = [unheard("b", 5.0)]
    assert words(told) == []
    told.member_states, told.conditions = [unheard("b"), unheard("c")], {"alone": "hears no other member"}
    assert words(told) == [Finding.ALONE]


def test_what_transport_and_mesh_call_a_condition_is_a_finding() -> None:
    assert {transport.PORT_TAKEN, transport.NOT_LISTENING} <= set(CONDITIONS)
    assert {conditions.OTHER_SPEAKER, conditions.STRANGER, conditions.UNHEARD, conditions.STALLED} <= set(CONDITIONS)
    assert {conditions.PROXY, conditions.BOUND} <= set(CONDITIONS)


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


def test_a_plug_that_is_missing_explains_what_the_host_refuses() -> None:
    told = fine()
    told.processes.missing = ["raw sockets", "real-time scheduling", "locked memory"]
    told.processes.not_connected = ["metallb-speaker:process-control", "metallb-speaker:network-control"]
    needed, *others = diagnosis.found(told)
    assert (needed.severity, needed.object) == ("error", "metallb-speaker:network-control")
    assert needed.remedy == "sudo snap connect metallb-speaker:network-control"
    assert [each.finding for each in others] == [Finding.SNAP_NOT_CONNECTED, Finding.HOST_REFUSES]


def test_what_the_sandbox_refuses_whatever_is_connected_is_no_finding() -> None:
    told = fine()
    told.processes.missing = [snap.BOUNDED, snap.SPARED, "locked memory"]
    assert [each.object for each in diagnosis.found(told)] == ["locked memory"]


def test_errors_come_before_warnings() -> None:
    told = fine()
    told.processes.missing = ["locked memory"]
    told.interfaces = []
    assert words(told) == [Finding.NO_INTERFACE, Finding.HOST_REFUSES]


def test_a_thousand_services_without_addresses_are_told_a_hundred_times_at_most() -> None:
    told = fine()
    told.services = [ServiceReport("d", str(i), [], "", Reason.NO_FREE_ADDRESS) for i in range(1000)]
    assert len(words(told)) == diagnosis.MOST


SEEN = (
    MemberSeen("c", "dead", since=5.0),
    MemberSeen("b", "alive", 10.0, 99.96, 7, 0.00021, ("udp", "ethernet"), 0.075, drained=True),
)


def test_members_are_told_with_what_is_seen_of_them() -> None:
    told = report.members(Observed(facts=Facts(pid=3, started=40.0), members=SEEN), 100.0, 1000.0, "a", drained=False)
    assert [(each.name, each.state, each.lasted) for each in told] == [
        ("a", "alive", 60.0),
        ("b", "alive", 90.0),
        ("c", "dead", 95.0),
    ]
    _, ben, cyn = told
    assert (ben.heard, ben.round_trip, ben.carriers, ben.watched) == (0.04, 0.21, ["udp", "ethernet"], "fast")
    assert (ben.since, ben.drained, cyn.heard, cyn.round_trip, cyn.watched) == (
        "1970-01-01T00:16:50Z",
        True,
        None,
        None,
        "",
    )


def test_living_members_with_another_digest_differ_and_those_that_tell_none_do_not() -> None:
    seen = (
        MemberSeen("b", "alive", configuration=bytes.fromhex("0a0b")),
        MemberSeen("c", "suspect", configuration=bytes.fromhex("0c0d")),
        MemberSeen("d", "alive"),
        MemberSeen("e", "dead", configuration=bytes.fromhex("0c0d")),
    )
    told = fine()
    told.configuration.digest = "0a0b"
    told.member_states = report.members(Observed(members=seen), 100.0, 1000.0)
    assert [each.configuration for each in told.member_states] == ["0a0b", "0c0d", "", "0c0d"]
    assert report.differing(told) == ["c"]


def test_a_node_without_an_announcer_is_down() -> None:
    (told,) = report.members(Observed(), 100.0, 1000.0, "a", drained=True)
    assert (told.state, told.since, told.drained) == ("down", "", True)


def test_addresses_come_in_their_own_order_ipv4_first() -> None:
    given = [ip_address(text) for text in ("fd00::2", "10.0.0.10", "10.0.0.9", "fd00::10")]
    rows = [Vip(ip.packed, "default/web", ip.packed, 0) for ip in given]
    refused = {("default/web", TWO): Reason.NO_ENDPOINTS}
    told = report.vips(plan(*rows, refused=refused), Observed(), 0.0)
    assert [each.ip for each in told] == ["10.0.0.2", "10.0.0.9", "10.0.0.10", "fd00::2", "fd00::10"]


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({}, "1 of 3 members alive"),
        ({"b": "alive", "c": "alive"}, "3 of 3 members alive"),
        ({"b": "starting", "c": "dead"}, "2 of 3 members alive"),
        ({"b": "suspect", "c": "leaving"}, "2 of 3 members alive"),
        ({"b": "alive", "x": "alive"}, "2 of 3 members alive"),
    ],
)
def test_members_alive_are_counted_of_those_with_a_record(states: dict[str, str], text: str) -> None:
    told = fine()
    told.members = ["a", "b", "c"]
    seen = tuple(MemberSeen(name, state) for name, state in states.items())
    told.member_states = report.members(Observed(facts=Facts(pid=3), members=seen), 1.0, 0.0, "a", drained=False)
    assert report.alive(told) == text


def test_the_line_tells_what_counts() -> None:
    told = fine()
    counted = Counts(2, 1, 0)
    assert report.line(told, counted) == "a: 2 VIPs, 1 answered here; 1 of 2 members alive; API connected; allocator a"
    told.services = [ServiceReport("d", "u", [], "", Reason.NO_FREE_ADDRESS)]
    told.api = ApiReport(server="s", credentials="/k", error="refused")
    told.findings = diagnosis.found(told)
    text = report.line(told, Counts(2, 1, 1))
    assert "API not reachable (refused)" in text
    assert "1 Services wait for an address" in text
    assert "2 findings (1 errors): api-unreachable" in text


def busy() -> tuple[Plan, Observed]:
    """Some that need nobody, and one each of what may: its owner is gone, no interface, refused, without address."""
    ips = [ip_address(f"10.0.0.{number}") for number in range(1, 6)]
    rows = [Vip(ip.packed, f"d/s{ip}", ip.packed, 0, ("eth7",) if ip == ips[3] else ()) for ip in ips[:4]]
    owners = dict(zip(ips, ("a", "b", "c"), strict=False))
    seen = Observed(
        (ETH0,),
        claims={ip.packed: Claim(ip.packed, 1, owner, 0.0, "first") for ip, owner in owners.items()},
        members=(MemberSeen("b", "alive"), MemberSeen("c", "dead")),
    )
    given = {"d/t": Assignment((ips[4],), "p"), "d/u": Assignment(reason=Reason.NO_FREE_ADDRESS)}
    refused = {("d/t", ips[4]): Reason.NO_ENDPOINTS, ("d/t", ips[0]): Reason.NO_ENDPOINTS}
    return msgspec.structs.replace(plan(*rows, refused=refused), assignments=given), seen


def test_what_the_line_counts_are_the_rows_of_the_report() -> None:
    whole, seen = busy()
    rows = report.vips(whole, seen, 0.0)
    unserved = [each for each in report.services(whole) if not each.ips]
    assert report.counts(whole, seen) == Counts(len(rows), sum(each.owner == "a" for each in rows), len(unserved))


def test_what_is_doubtful_has_all_findings_of_the_whole() -> None:
    whole, seen = busy()
    findings = []
    for each in (whole, report.doubtful(whole, seen)):
        told = fine()
        told.member_states = report.members(seen, 1.0, 0.0, "a")
        told.services, told.vips = report.services(each), report.vips(each, seen, 0.0)
        findings.append(diagnosis.found(told))
    assert len(told.vips) == 3
    assert findings[0] == findings[1]
    words = {Finding.ADDRESS_UNANNOUNCED, Finding.SERVICE_UNSERVED}
    assert [each.finding in words for each in findings[0]].count(True) == 4


def test_credentials_that_are_not_in_use_are_told_with_file_fault_and_remedy_and_what_is_in_use() -> None:
    told = fine()
    told.api.unusable = Unusable("/etc/kubernetes/admin.conf", "not YAML: line 1", "mend or replace the file")
    (found,) = diagnosis.found(told)
    assert (found.object, found.remedy) == ("/etc/kubernetes/admin.conf", "mend or replace the file")
    assert found.message.startswith("not YAML: line 1: ")
    assert "that were read before stay in use" in found.message


def test_where_there_are_no_credentials_the_file_that_is_of_no_use_is_named() -> None:
    told = fine()
    wrong = Unusable("/etc/kubernetes/admin.conf", "not YAML: line 1", "mend or replace the file")
    told.api = ApiReport(error=wrong.message, remedy=wrong.remedy, unusable=wrong)
    (found,) = [each for each in diagnosis.found(told) if each.finding == Finding.NO_CREDENTIALS]
    assert (found.object, found.message) == (wrong.file, wrong.message)
