"""Rules of allocation (A to D): what a Service asks for, and which address of which pool it is given."""

from tests.rules.clusters import (
    DUAL,
    FULL,
    WEB,
    P,
    Q,
    Rule,
    created,
    dual,
    given,
    keeps,
    namespace,
    pinned,
    pool,
    refused,
    service,
)

ALLOCATION: dict[str, Rule] = {
    "A1": Rule("other types are ignored", (P, service("s", type="NodePort")), {"s": ("ignored", [], "")}),
    "A2": Rule(
        "without --lb-class only Services without a class are served",
        (P, service("s", loadBalancerClass="x/y")),
        {"s": ("ignored", [], "")},
    ),
    "A3": Rule("loadBalancerIP asks for an address", (P, service("s", loadBalancerIP="10.0.0.2")), given("10.0.0.2")),
    "A4": Rule(
        "loadBalancerIPs asks for an address",
        (P, service("s", note={"loadBalancerIPs": " 10.0.0.2 "})),
        given("10.0.0.2"),
    ),
    "A5": Rule(
        "both at once are refused",
        (P, service("s", loadBalancerIP="10.0.0.2", note={"loadBalancerIPs": "10.0.0.2"})),
        refused("two-contradictory-address-requests"),
    ),
    "A6": Rule("address-pool asks for a pool", (P, Q, service("s", note={"address-pool": "q"})), given("10.0.1.0")),
    "A7": Rule(
        "the deprecated spelling is read",
        (P, Q, service("s", note={"metallb.universe.tf/address-pool": "q"})),
        given("10.0.1.0"),
    ),
    "A8": Rule(
        "the new spelling wins, even when it is empty",
        (P, Q, service("s", note={"address-pool": "", "metallb.universe.tf/address-pool": "q"})),
        given("10.0.0.0"),
    ),
    "A9": Rule(
        "more than two addresses are refused",
        (DUAL, dual("s", note={"loadBalancerIPs": "10.2.0.0,fd00::,10.2.0.1"})),
        refused("bad-address-combination"),
    ),
    "A10": Rule(
        "two of one family are refused",
        (P, service("s", note={"loadBalancerIPs": "10.0.0.1,10.0.0.2"})),
        refused("bad-address-combination"),
    ),
    "A11": Rule(
        "what is no address is refused", (P, service("s", note={"loadBalancerIPs": "x"})), refused("malformed-address")
    ),
    "B1": Rule(
        "a Service that is no longer of that type gives its address back",
        (P, service("s", "10.0.0.1", type="ClusterIP")),
        {"s": ("released", [], "")},
    ),
    "B2": Rule("without a pool there is none", (WEB,), refused("no-pool")),
    "B3": Rule(
        "without a cluster IP nothing is given", (P, service("s", clusterIPs=["None"])), refused("family-mismatch")
    ),
    "B4": Rule(
        "RequireDualStack with one cluster IP is cleared",
        (P, service("s", "10.0.0.1", ipFamilyPolicy="RequireDualStack")),
        {"s": ("released", [], "dual-stack-required-but-one-cluster-address")},
    ),
    "B5": Rule(
        "an address of another family than the cluster IPs' is dropped",
        (DUAL, service("s", "fd00::")),
        given("10.2.0.0"),
    ),
    "B6": Rule(
        "a holder keeps its address although lower ones are free", (P, service("s", "10.0.0.3")), keeps("10.0.0.3")
    ),
    "B7": Rule(
        "a holder that names another pool is moved there",
        (P, Q, service("s", "10.0.0.1", note={"address-pool": "q"})),
        given("10.0.1.0"),
    ),
    "B8": Rule(
        "a holder that asks for another address is moved there",
        (P, service("s", "10.0.0.1", note={"loadBalancerIPs": "10.0.0.2"})),
        given("10.0.0.2"),
    ),
    "B9": Rule(
        "a request that cannot be read costs nothing",
        (P, service("s", "10.0.0.1", note={"loadBalancerIPs": "x"})),
        keeps("10.0.0.1", "malformed-address"),
    ),
    "B10": Rule(
        "better: a request that is refused never costs the good address held",
        (P, service("s", "10.0.0.1", note={"loadBalancerIPs": "10.9.9.9"})),
        keeps("10.0.0.1", "address-in-no-pool"),
    ),
    "B11": Rule(
        "who waits is served when an address comes free",
        (pool("one", "10.0.0.0/32"), service("gone", "10.0.0.0", type="ClusterIP"), WEB),
        given("10.0.0.0"),
    ),
    "C1": Rule(
        "a requested address in no pool is refused",
        (P, service("s", note={"loadBalancerIPs": "10.9.9.9"})),
        refused("address-in-no-pool"),
    ),
    "C2": Rule(
        "a requested address is given from a pool that does not assign by itself",
        (pool("p", "10.0.0.0/30", autoAssign=False), service("s", note={"loadBalancerIPs": "10.0.0.1"})),
        given("10.0.0.1"),
    ),
    "C3": Rule(
        "a requested address in a pool for others is refused",
        (pinned("p", "10.0.0.0/30", namespaces=["else"]), service("s", note={"loadBalancerIPs": "10.0.0.1"})),
        refused("pool-scoped-to-others"),
    ),
    "C4": Rule(
        "a requested address that the named pool does not have is refused",
        (P, Q, service("s", note={"loadBalancerIPs": "10.0.0.1", "address-pool": "q"})),
        refused("requested-address-outside-requested-pool"),
    ),
    "C5": Rule(
        "a named pool that is full is refused, whatever others have",
        (*FULL, Q, service("s", note={"address-pool": "one"})),
        refused("no-free-address"),
    ),
    "C6": Rule(
        "a pool that there is not is refused", (P, service("s", note={"address-pool": "x"})), refused("unknown-pool")
    ),
    "C7": Rule(
        "a named pool that does not assign by itself serves",
        (pool("p", "10.0.0.0/30", autoAssign=False), service("s", note={"address-pool": "p"})),
        given("10.0.0.0"),
    ),
    "C8": Rule(
        "a named pool for others is refused",
        (pinned("p", "10.0.0.0/30", namespaces=["else"]), service("s", note={"address-pool": "p"})),
        refused("pool-scoped-to-others"),
    ),
    "C9": Rule(
        "a pool that does not assign by itself is not used unasked",
        (pool("p", "10.0.0.0/30", autoAssign=False), WEB),
        refused("no-free-address"),
    ),
    "C10": Rule("better: open pools are used in name order", (created(P, 2), created(Q, 1), WEB), given("10.0.0.0")),
    "C11": Rule(
        "pinned pools come before open ones",
        (P, pinned("z", "10.0.9.0/30", namespaces=["default"]), WEB),
        given("10.0.9.0"),
    ),
    "C12": Rule(
        "of pinned pools the lowest priority comes first, none last",
        (
            pinned("a", "10.0.7.0/30"),
            pinned("b", "10.0.8.0/30", priority=9),
            pinned("c", "10.0.9.0/30", priority=3),
            WEB,
        ),
        given("10.0.9.0"),
    ),
    "C13": Rule(
        "a pool for a namespace serves no other",
        (pinned("p", "10.0.0.0/30", namespaces=["else"]), WEB),
        refused("no-free-address"),
    ),
    "C14": Rule(
        "a pool for namespaces by label",
        (
            pinned("p", "10.0.0.0/30", namespaceSelectors=[{"matchLabels": {"team": "x"}}]),
            namespace("default", team="x"),
            namespace("else", team="y"),
            WEB,
            service("t", namespace="else"),
        ),
        given("10.0.0.0") | {"t": ("refused", [], "no-free-address")},
    ),
    "C15": Rule(
        "a pool for Services by label",
        (
            pinned("p", "10.0.0.0/30", serviceSelectors=[{"matchLabels": {"a": "b"}}]),
            service("s", labels={"a": "b"}),
            service("t", labels={"a": "c"}),
        ),
        given("10.0.0.0") | {"t": ("refused", [], "no-free-address")},
    ),
    "C16": Rule(
        "namespace and label must both match",
        (
            pinned("p", "10.0.0.0/30", namespaces=["else"], serviceSelectors=[{"matchLabels": {"a": "b"}}]),
            service("s", labels={"a": "b"}),
            service("t", namespace="else"),
        ),
        refused("no-free-address") | {"t": ("refused", [], "no-free-address")},
    ),
    "D1": Rule(
        "ranges in the order written, each from its first address",
        (pool("p", "10.0.5.0/31", "10.0.0.0/30"), WEB, service("t", age=1), service("u", age=2)),
        given("10.0.5.0") | {"t": ("assigned", ["10.0.5.1"], ""), "u": ("assigned", ["10.0.0.0"], "")},
    ),
    "D2": Rule(
        "addresses that end in 0 and 255 are given out",
        (pool("p", "10.0.0.255-10.0.1.0"), WEB, service("t", age=1)),
        given("10.0.0.255") | {"t": ("assigned", ["10.0.1.0"], "")},
    ),
    "D3": Rule(
        "unless the pool avoids them", (pool("p", "10.0.0.255-10.0.1.1", avoidBuggyIPs=True), WEB), given("10.0.1.1")
    ),
    "D4": Rule(
        "a freed low address is used again",
        (
            pool("p", "10.0.0.0/31"),
            service("low", "10.0.0.0", type="ClusterIP"),
            service("high", "10.0.0.1"),
            WEB,
        ),
        given("10.0.0.0"),
    ),
}
