"""Three hosts whose iprange is changed one by one, whoever allocates then: no address is lost, doubled or flaps."""

from collections.abc import Iterator
from itertools import permutations, product

import pytest
from msgspec.structs import replace

from speakerd.config.resolve import pools_digest
from speakerd.config.resources import Metadata
from speakerd.consent import outvoted
from speakerd.decide import Memo, decide
from speakerd.decision import Plan
from speakerd.exchange import Member
from speakerd.kube import objects
from speakerd.kube.body import POOL_ANNOTATION
from speakerd.kube.objects import LoadBalancerIngress, LoadBalancerStatus
from speakerd.model import IP, Holder, Reservation
from speakerd.settings import Settings
from speakerd.snapshot import Memo as Looks
from speakerd.snapshot import Stores, build
from speakerd.terms import holder

HOSTS = "abc"
OLD = "10.0.0.10-10.0.0.19"
NEW = {
    "apart": "10.0.1.10-10.0.1.19",
    "in part": "10.0.0.15-10.0.0.24",
    "within": "10.0.0.14-10.0.0.16",
    "around": "10.0.0.0-10.0.0.29",
}
ORDERS = list(permutations(HOSTS))
HELD = {"first": "10.0.0.10", "middle": "10.0.0.15", "other": "10.0.0.16"}
"""What the Services have before; `middle` and `other` are in both ranges but where these are apart."""


class Cluster:
    """The API's side: Services and the Leases of addresses; `story`: every address that each Service has had."""

    def __init__(self) -> None:
        self.ledger: dict[IP, Reservation] = {}
        self.services = {f"ns/{name}": service(name) for name in HELD}
        self.story: dict[str, list[str]] = {f"ns/{name}": [ip] for name, ip in HELD.items()}
        for name, ip in HELD.items():
            self.services[f"ns/{name}"] = with_address(self.services[f"ns/{name}"], ip)

    def carry_out(self, plan: Plan) -> bool:
        """What the writer does with the first thing of a plan; whether there was any."""
        for write in plan.writes[:1]:
            key, (ip,) = write.service.key, write.assignment.ips
            assert ip not in self.ledger or self.ledger[ip].services[0].key == key
            self.ledger = {**self.ledger, ip: lease(ip, holder(write.service))}
            self.services = {**self.services, key: with_address(self.services[key], str(ip))}
            self.story[key].append(str(ip))
            return True
        for ip, one in plan.adoptions[:1]:
            self.ledger = {**self.ledger, ip: lease(ip, one)}
            return True
        for release in plan.releases[:1]:
            self.ledger = {ip: each for ip, each in self.ledger.items() if ip != release.held.ip}
            return True
        return False

    @property
    def addresses(self) -> list[str]:
        """What the statuses say."""
        return [each.ip for found in self.services.values() for each in found.status.load_balancer.ingress or ()]


class Host:
    """One that may allocate; its settings file has an `iprange`."""

    def __init__(self, name: str, iprange: str) -> None:
        self.name = name
        self.configure(iprange)
        self.memo = Memo()

    def configure(self, iprange: str) -> None:
        """Its settings file is saved, and read."""
        self.settings = Settings(iprange=iprange)
        self.looks = Looks(self.settings)
        self.member = Member(self.name, pools=self.looks.own_pools)

    def allocate(self, cluster: Cluster) -> None:
        """Plan and carry out, one thing at a time, until all is at rest."""
        while True:
            stores = Stores(cluster.services, {}, {}, {}, {}, {}, settled=True, ledger=cluster.ledger)
            snapshot, self.looks = build(stores, self.settings, self.looks)
            plan, self.memo = decide(snapshot, self.memo)
            if not cluster.carry_out(plan):
                return
            assert len(cluster.addresses) == len(set(cluster.addresses)) == len(HELD), "lost or doubled"


def service(name: str) -> objects.Service:
    return objects.Service(
        Metadata(name, "ns", f"uid-{name}", "1", f"2026-01-01T00:00:0{len(name)}Z"),
        objects.ServiceSpec("LoadBalancer", cluster_ips=("10.96.0.1",)),
    )


def with_address(found: objects.Service, ip: str) -> objects.Service:
    metadata = replace(found.metadata, annotations={POOL_ANNOTATION: "default"})
    status = objects.ServiceStatus(LoadBalancerStatus((LoadBalancerIngress(ip),)))
    return replace(found, metadata=metadata, status=status)


def lease(ip: IP, one: Holder) -> Reservation:
    return Reservation(ip, f"speakerd-vip-{ip}", f"lease-{ip}", "1", ()).joined(one)


def holds(iprange: str, ip: str) -> bool:
    first, last = (tuple(map(int, each.split("."))) for each in iprange.split("-"))
    return first <= tuple(map(int, ip.split("."))) <= last


def may_allocate(hosts: dict[str, Host]) -> list[str]:
    """Who goes first for the allocator's Lease."""
    members = [each.member for each in hosts.values()]
    return [each.name for each in hosts.values() if not outvoted(each.member, members)]


def histories(order: tuple[str, ...], new: str) -> Iterator[list[tuple[str, str]]]:
    """Every way it can go: who is changed before (nobody at first), and who allocates then."""
    hosts = {name: Host(name, OLD) for name in HOSTS}
    stages = [may_allocate(hosts)]
    for name in order:
        hosts[name].configure(new)
        stages.append(may_allocate(hosts))
    for allocators in product(*stages):
        yield [*zip(("", *order), allocators, strict=True)]


@pytest.mark.parametrize("new", list(NEW.values()), ids=list(NEW))
@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_a_range_changed_host_by_host_moves_whom_it_must_once_whoever_allocates(
    order: tuple[str, ...], new: str
) -> None:
    for history in histories(order, new):
        hosts, cluster = {name: Host(name, OLD) for name in HOSTS}, Cluster()
        for changed, allocator in history:
            if changed:
                hosts[changed].configure(new)
            hosts[allocator].allocate(cluster)
        for name, ip in HELD.items():
            before, *moved = cluster.story[f"ns/{name}"]
            assert len(moved) == (not holds(new, ip)), (name, history)
            assert holds(new, (moved or [before])[-1])
        assert sorted(map(str, cluster.ledger)) == sorted(cluster.addresses)


@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_a_range_changed_host_by_host_moves_addresses_when_most_hosts_have_it(order: tuple[str, ...]) -> None:
    hosts = {name: Host(name, OLD) for name in HOSTS}
    may = [may_allocate(hosts)]
    for name in order:
        hosts[name].configure(NEW["apart"])
        may.append(may_allocate(hosts))
    assert list(map(set, may)) == [set(HOSTS), set(order[1:]), set(order[:2]), set(HOSTS)]
    digests = {each.member.pools for each in hosts.values()}
    assert digests == {pools_digest(hosts["a"].looks.own)}
