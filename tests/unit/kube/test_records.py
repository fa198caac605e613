"""What an owner writes down: each change once, the latest state alone, Leases before statuses before events."""

from ipaddress import ip_address

from msgspec.structs import replace

from speakerd.decision import Plan
from speakerd.exchange import Candidate, Claim, MemberSeen, Observed, Vip, Wanted
from speakerd.kube.records import FIRST, MOST_TRANSITIONS, Due, EventDue, FailureDue, LeaseDue, Records, StatusDue
from speakerd.model import Assignment, Interface, Record

V1, V2, V6 = (ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "fd00::1"))
R1, R2, R6 = V1.packed, V2.packed, V6.packed


def plan(*services: str, shared: dict[bytes, tuple[str, ...]] | None = None) -> Plan:
    """Service `ns/one` has 10.0.0.1, `ns/two` 10.0.0.2, `ns/dual` both families of ::1."""
    ips = {"ns/one": (V1,), "ns/two": (V2,), "ns/dual": (V1, V6)}
    rows = {ip.packed: Vip(ip.packed, key, ips[key][0].packed, 0) for key in services for ip in ips[key]}
    assignments = {key: Assignment(ips[key], "p") for key in services}
    return Plan(assignments, Wanted("me", rows), shared=shared or {})


def claim(
    ip: bytes, epoch: int = 1, owner: str = "me", *, since: float = 200.0, interfaces: tuple[str, ...] = ()
) -> Claim:
    return Claim(ip, epoch, owner, since, "first", interfaces)


def claims(*made: Claim) -> dict[bytes, Claim]:
    return {each.ip: each for each in made}


def records(leases: dict[bytes, Record] | None = None, statuses: tuple[str, ...] = ()) -> Records:
    core = Records("me", 100.0)
    core.recall(leases or {}, statuses)
    return core


def carried_out(core: Records, *, moved: bool = True) -> list[Due]:
    """All that is due, each written as it comes."""
    found: list[Due] = []
    while due := core.next(0.0):
        found.append(due)
        match due:
            case LeaseDue(ip, epoch):
                core.patched(ip, Record("me", epoch, "9"), moved=moved)
            case _:
                core.dropped(due)
    return found


def test_a_vip_that_moves_here_is_written_down_in_the_lease_then_the_status_then_an_event_and_never_again() -> None:
    core = records()
    assert core.look(plan("ns/one"), claims(claim(R1, 3, interfaces=("eth0",))))
    assert carried_out(core) == [
        LeaseDue(R1, 3),
        StatusDue("ns/one", True, ("eth0",), frozenset({"me"})),
        EventDue("ns/one"),
    ]
    assert not core.look(plan("ns/one"), claims(claim(R1, 3, interfaces=("eth0",))))
    assert core.next(2000.0) is None
    assert core.deadline() is None


def test_all_leases_are_written_before_any_status_and_all_statuses_before_any_event() -> None:
    core = records()
    core.look(plan("ns/one", "ns/two"), claims(claim(R1), claim(R2)))
    assert [type(due) for due in carried_out(core)] == [LeaseDue, LeaseDue, StatusDue, StatusDue, EventDue, EventDue]


def test_what_another_node_owns_or_nobody_wants_is_not_ours_to_write() -> None:
    core = records()
    assert not core.look(plan("ns/one"), claims(claim(R1, owner="other"), claim(R2)))
    assert core.next(0.0) is None


def test_a_controller_that_starts_again_writes_nothing_where_the_api_says_so_already() -> None:
    core = records({R1: Record("me", 3, "7")})
    core.look(plan("ns/one"), claims(claim(R1, 3)))
    assert carried_out(core) == [StatusDue("ns/one", True, (), frozenset({"me"}))]


def test_the_epoch_is_never_lowered_and_a_later_one_of_ours_is_no_event() -> None:
    core = records({R1: Record("other", 9, "7"), R2: Record("me", 2, "7")})
    core.look(plan("ns/one", "ns/two"), claims(claim(R1, 5), claim(R2, 3)))
    assert core.next(0.0) == LeaseDue(R2, 3)
    core.patched(R2, Record("me", 3, "8"), moved=False)
    assert not [due for due in carried_out(core) if not isinstance(due, StatusDue)]


def test_an_epoch_beyond_what_a_lease_can_say_is_its_largest() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1, 1 << 40)))
    assert core.next(0.0) == LeaseDue(R1, MOST_TRANSITIONS)


def test_only_the_latest_state_is_written() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1, 3)))
    core.look(plan("ns/one"), claims(claim(R1, 4, "other")))
    assert carried_out(core) == [StatusDue("ns/one", False, (), frozenset({"other"}))]
    core.look(plan("ns/one"), claims(claim(R1, 5)))
    core.look(plan("ns/one"), claims(claim(R1, 7)))
    assert core.next(0.0) == LeaseDue(R1, 7)


def test_a_vip_that_leaves_before_its_event_was_sent_is_not_told_of() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1)))
    core.patched(R1, Record("me", 1, "8"), moved=True)
    core.look(plan("ns/one"), claims(claim(R1, 2, "other")))
    assert not [due for due in carried_out(core) if isinstance(due, EventDue)]


def test_both_addresses_of_a_service_are_one_status_and_one_event() -> None:
    core = records()
    core.look(plan("ns/dual"), claims(claim(R1, interfaces=("eth1",)), claim(R6, interfaces=("eth0",))))
    assert carried_out(core)[2:] == [
        StatusDue("ns/dual", True, ("eth0", "eth1"), frozenset({"me"})),
        EventDue("ns/dual"),
    ]


def test_a_service_whose_addresses_are_on_two_nodes_has_two_owners() -> None:
    core = records()
    core.look(plan("ns/dual"), claims(claim(R1, interfaces=("eth1",)), claim(R6, owner="other")))
    assert StatusDue("ns/dual", True, ("eth1",), frozenset({"me", "other"})) in carried_out(core)


def test_one_interface_list_that_means_all_means_all() -> None:
    core = records()
    core.look(plan("ns/dual"), claims(claim(R1, interfaces=("eth1",)), claim(R6)))
    assert StatusDue("ns/dual", True, (), frozenset({"me"})) in carried_out(core)


def test_every_service_of_a_shared_address_is_told() -> None:
    core = records()
    core.look(plan("ns/one", shared={R1: ("ns/one", "ns/too")}), claims(claim(R1)))
    found = carried_out(core)
    assert {due.key for due in found if isinstance(due, StatusDue)} == {"ns/one", "ns/too"}
    assert {due.key for due in found if isinstance(due, EventDue)} == {"ns/one", "ns/too"}


def test_a_service_that_is_no_longer_announced_loses_its_status() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1)))
    carried_out(core)
    core.look(plan(), claims(claim(R1)))
    assert carried_out(core) == [StatusDue("ns/one", False)]


def test_a_status_left_from_before_stays_until_it_is_clear_who_answers() -> None:
    core = records(statuses=("ns/one", "ns/two", "ns/gone"))
    core.look(plan("ns/one", "ns/two"), {})
    assert carried_out(core) == [StatusDue("ns/gone", False)]
    core.look(plan("ns/one", "ns/two"), claims(claim(R1, owner="other")))
    assert carried_out(core) == [StatusDue("ns/one", False, (), frozenset({"other"}))]
    core.look(plan("ns/one", "ns/two"), claims(claim(R1, owner="other"), claim(R2)))
    assert StatusDue("ns/two", True, (), frozenset({"me"})) in carried_out(core)


def test_a_missing_lease_is_looked_for_again_more_and_more_rarely() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1, since=50.0)))
    now, waits = 0.0, []
    for _ in range(8):
        assert core.next(now, {StatusDue}) == LeaseDue(R1, 1)
        core.missing(R1, now)
        assert core.next(now, {StatusDue}) is None
        due = core.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [FIRST, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]
    core.next(now)
    core.patched(R1, Record("me", 1, "9"), moved=True)
    assert core.deadline() is None


def test_without_a_lease_a_move_is_told_if_it_was_seen_and_once_when_the_lease_turns_up() -> None:
    core = records()
    core.look(plan("ns/one", "ns/two"), claims(claim(R1, since=200.0), claim(R2, since=50.0)))
    core.missing(R1, 0.0)
    core.missing(R2, 0.0)
    assert [due for due in carried_out(core) if isinstance(due, EventDue)] == [EventDue("ns/one")]
    core.look(plan("ns/one", "ns/two"), claims(claim(R1, since=200.0), claim(R2, since=50.0)))
    core.patched(R1, Record("me", 1, "9"), moved=True)
    assert core.next(0.0) is None


def test_what_changes_while_it_is_written_is_written_again() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1)))
    core.patched(R1, Record("me", 1, "9"), moved=False)
    due = core.next(0.0)
    assert isinstance(due, StatusDue)
    core.look(plan("ns/one"), claims(replace(claim(R1), interfaces=("eth0",))))
    core.dropped(due)
    assert carried_out(core)[-1] == replace(due, interfaces=("eth0",))


def test_kinds_that_rest_hold_up_no_others() -> None:
    core = records()
    core.look(plan("ns/one"), claims(claim(R1)))
    assert isinstance(core.next(0.0, {LeaseDue}), StatusDue)
    core.patched(R1, Record("me", 1, "9"), moved=True)
    assert core.next(0.0, {LeaseDue, StatusDue}) == EventDue("ns/one")
    assert core.next(0.0, {LeaseDue, StatusDue, EventDue}) is None


def named(*interfaces: str, candidates: tuple[str, ...] = ("gone", "me", "other")) -> Plan:
    """Service `ns/one`, announced on these interfaces of this node alone."""
    row = Vip(R1, "ns/one", R1, 0, interfaces)
    return Plan({"ns/one": Assignment((V1,), "p")}, Wanted("me", {R1: row}, (tuple(map(Candidate, candidates)),)))


def world(*made: Claim, usable: bool = True) -> Observed:
    """This node has eth0; `gone` is dead, `other` lives."""
    eth0 = Interface(2, "eth0", b"\2\0\0\0\0\1", up=True, carrier=True, usable=usable)
    return Observed((eth0,), claims(*made), members=(MemberSeen("gone", "dead"), MemberSeen("other", "alive")))


def test_what_nobody_answers_for_since_no_interface_fits_is_told_once_when_it_has_lasted() -> None:
    core = records()
    assert not core.look_out(named("eth7"), world())
    assert core.look_out(named("eth7"), world())
    assert carried_out(core) == [FailureDue("ns/one", ("eth7",))]
    assert not core.look_out(named("eth7"), world())
    assert core.next(0.0) is None


def test_it_is_told_again_when_it_was_answered_meanwhile() -> None:
    core = records()
    for seen, due in (((), 1), ((claim(R1, owner="other"),), 0), ((), 1)):
        for _ in range(2):
            core.look_out(named("eth7"), world(*seen))
        assert len(carried_out(core)) == due


def test_nothing_is_told_where_somebody_answers_an_interface_fits_or_another_speaks_first() -> None:
    quiet = [
        (named("eth7"), world(claim(R1, owner="other"))),
        (named("eth7", "eth0"), world()),
        (named(), world()),
        (named("eth7", candidates=("also", "other", "me")), world()),
        (named("eth7", candidates=("other",)), world()),
        (named("eth7"), world(usable=False)),
    ]
    for plan_, seen in quiet:
        core = records()
        assert not any(core.look_out(plan_, seen) for _ in range(3))
        assert core.next(0.0) is None


def test_where_events_may_not_be_written_this_one_waits_too() -> None:
    core = records()
    for _ in range(2):
        core.look_out(named("eth7"), world())
    assert core.next(0.0, {FailureDue}) is None
    assert core.next(0.0) == FailureDue("ns/one", ("eth7",))
