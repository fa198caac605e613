"""Rules of allocation (A to I)."""

from tests.rules.clusters import (
    DUAL,
    FULL,
    WEB,
    P,
    Q,
    Rule,
    dual,
    given,
    keeps,
    namespace,
    pinned,
    pool,
    refused,
    service,
    shares,
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
        (P, service("s", note={"loadBalancerIPs": "10.0.0.1,10.0.0.2,10.0.0.3"})),
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
        (P, DUAL, service("s", "fd00::", note={"address-pool": "p"})),
        given("10.0.0.0"),
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
    "C10": Rule("better: open pools are used in name order", (Q, P, WEB), given("10.0.0.0")),
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
            WEB,
        ),
        given("10.0.0.0"),
    ),
    "C15": Rule(
        "a pool for Services by label",
        (pinned("p", "10.0.0.0/30", serviceSelectors=[{"matchLabels": {"a": "b"}}]), service("s", labels={"a": "b"})),
        given("10.0.0.0"),
    ),
    "C16": Rule(
        "namespace and label must both match",
        (
            pinned("p", "10.0.0.0/30", namespaces=["else"], serviceSelectors=[{"matchLabels": {"a": "b"}}]),
            service("s", labels={"a": "b"}),
        ),
        refused("no-free-address"),
    ),
    "D1": Rule(
        "ranges in the order written, each from its first address",
        (pool("p", "10.0.5.0/32", "10.0.0.0/30"), service("first", "10.0.5.0"), WEB),
        given("10.0.0.0"),
    ),
    "D2": Rule(
        "addresses that end in 0 and 255 are given out",
        (pool("p", "10.0.0.255-10.0.1.0"), service("first", "10.0.0.255"), WEB),
        given("10.0.1.0"),
    ),
    "D3": Rule(
        "unless the pool avoids them", (pool("p", "10.0.0.255-10.0.1.1", avoidBuggyIPs=True), WEB), given("10.0.1.1")
    ),
    "D4": Rule("a freed low address is used again", (P, service("high", "10.0.0.1"), WEB), given("10.0.0.0")),
    "E1": Rule(
        "one key and other ports: one address",
        (P, shares("s"), shares("t", port=443)),
        {"s": ("assigned", ["10.0.0.0"], ""), "t": ("assigned", ["10.0.0.0"], "")},
    ),
    "E2": Rule(
        "TCP and UDP do not collide",
        (P, shares("s"), shares("t", protocol="UDP")),
        {"t": ("assigned", ["10.0.0.0"], "")},
    ),
    "E3": Rule("one port twice does", (P, shares("s"), shares("t")), {"t": ("assigned", ["10.0.0.1"], "")}),
    "E4": Rule(
        "another key does not share",
        (P, shares("s"), shares("t", port=443, key="x")),
        {"t": ("assigned", ["10.0.0.1"], "")},
    ),
    "E5": Rule(
        "an empty key does not share",
        (P, shares("s", key=""), shares("t", port=443, key="")),
        {"t": ("assigned", ["10.0.0.1"], "")},
    ),
    "E6": Rule(
        "under policy Local the selectors must be one",
        (
            P,
            shares("s", externalTrafficPolicy="Local", selector={"a": "1"}),
            shares("t", port=443, externalTrafficPolicy="Local", selector={"a": "2"}),
        ),
        {"t": ("assigned", ["10.0.0.1"], "")},
    ),
    "E7": Rule(
        "Local and Cluster do not share",
        (P, shares("s"), shares("t", port=443, externalTrafficPolicy="Local", selector={"a": "2"})),
        {"t": ("assigned", ["10.0.0.1"], "")},
    ),
    "E8": Rule(
        "Local without a selector is as Cluster",
        (P, shares("s"), shares("t", port=443, externalTrafficPolicy="Local")),
        {"t": ("assigned", ["10.0.0.0"], "")},
    ),
    "E9": Rule(
        "of a pair both addresses must be free or shared",
        (
            DUAL,
            service("v6", "fd00::", clusterIPs=["fd96::9"]),
            dual("s", note={"allow-shared-ip": "k"}),
            dual("t", note={"allow-shared-ip": "k"}, ports=[{"port": 443}]),
        ),
        {"s": ("assigned", ["10.2.0.0", "fd00::1"], ""), "t": ("assigned", ["10.2.0.0", "fd00::1"], "")},
    ),
    "E10": Rule(
        "who asks for an address whose port is taken is told so",
        (P, shares("s", "10.0.0.1"), shares("t") | {}, shares("u", loadBalancerIP="10.0.0.1")),
        {"u": ("refused", [], "port-already-used-on-address")},
    ),
    "E11": Rule(
        "who asks for one that is not shared is told so",
        (P, service("other", "10.0.0.1"), service("s", loadBalancerIP="10.0.0.1")),
        refused("address-held-and-not-shareable"),
    ),
    "F1": Rule("one cluster IP: one address, also from a dual pool", (DUAL, WEB), given("10.2.0.0")),
    "F2": Rule("of the family of the cluster IP", (DUAL, service("s", clusterIPs=["fd96::1"])), given("fd00::")),
    "F3": Rule("RequireDualStack: one of each, of one pool", (DUAL, dual("s")), given("10.2.0.0", "fd00::")),
    "F4": Rule(
        "two pools of one family each are never combined",
        (P, pool("six", "fd00::/127"), dual("s")),
        refused("no-free-address"),
    ),
    "F5": Rule(
        "PreferDualStack: a pool with both wins wherever it stands",
        (P, pool("z", "10.9.0.0/31", "fd09::/127"), dual("s", policy="PreferDualStack")),
        given("10.9.0.0", "fd09::"),
    ),
    "F6": Rule("else the first family", (P, dual("s", policy="PreferDualStack")), given("10.0.0.0")),
    "F7": Rule("else the other", (pool("six", "fd00::/127"), dual("s", policy="PreferDualStack")), given("fd00::")),
    "F8": Rule(
        "a requested pair keeps the order written",
        (DUAL, dual("s", note={"loadBalancerIPs": "fd00::1,10.2.0.1"})),
        given("fd00::1", "10.2.0.1"),
    ),
    "F9": Rule(
        "a request must have the families of the cluster IPs",
        (DUAL, dual("s", policy="PreferDualStack", note={"loadBalancerIPs": "10.2.0.1"})),
        refused("family-mismatch"),
    ),
    "F10": Rule(
        "two cluster IPs and SingleStack are not served unasked",
        (DUAL, dual("s", policy="SingleStack")),
        refused("no-free-address"),
    ),
    "F11": Rule(
        "but an explicit pair is granted",
        (DUAL, dual("s", policy="SingleStack", note={"loadBalancerIPs": "10.2.0.1,fd00::1"})),
        given("10.2.0.1", "fd00::1"),
    ),
    "F12": Rule(
        "PreferDualStack with one address is given the second of the same pool",
        (DUAL, dual("s", "10.2.0.1", policy="PreferDualStack")),
        given("10.2.0.1", "fd00::"),
    ),
    "F13": Rule(
        "and lives without where the pool has none",
        (P, dual("s", "10.0.0.1", policy="PreferDualStack")),
        keeps("10.0.0.1"),
    ),
    "G1": Rule(
        "a pool that was renamed keeps its holders",
        (pool("new", "10.0.0.0/30"), service("s", "10.0.0.1")),
        keeps("10.0.0.1"),
    ),
    "G2": Rule(
        "a pool that no longer holds the address gives another",
        (P, service("s", "10.0.0.9")),
        given("10.0.0.0"),
    ),
    "G3": Rule(
        "so does one that begins to avoid it",
        (pool("p", "10.0.0.0/30", avoidBuggyIPs=True), service("s", "10.0.0.0")),
        given("10.0.0.1"),
    ),
    "G4": Rule(
        "so does one that is for others now",
        (pinned("p", "10.0.0.0/30", namespaces=["else"]), Q, service("s", "10.0.0.1")),
        given("10.0.1.0"),
    ),
    "G5": Rule(
        "a pool that no longer assigns by itself keeps its holders",
        (pool("p", "10.0.0.0/30", autoAssign=False), service("s", "10.0.0.1")),
        keeps("10.0.0.1"),
    ),
    "G6": Rule(
        "without any pool left the address is lost", (service("s", "10.0.0.1"),), {"s": ("lost", [], "no-pool")}
    ),
    "G7": Rule(
        "better: of a pair whose pool has lost a family the other address stays",
        (P, dual("s", "10.0.0.1", "fd00::1", policy="PreferDualStack")),
        given("10.0.0.1"),
    ),
    "G8": Rule(
        "another dual pool moves nobody",
        (P, DUAL, dual("s", "10.0.0.1", policy="PreferDualStack")),
        keeps("10.0.0.1"),
    ),
    "H1": Rule(
        "holders are adopted before newcomers",
        (P, service("s", age=0), service("t", "10.0.0.0", age=9)),
        given("10.0.0.1"),
    ),
    "H2": Rule(
        "of two holders of one address the older keeps it",
        (P, service("s", "10.0.0.0", age=5), service("t", "10.0.0.0", age=1)),
        given("10.0.0.1") | {"t": ("kept", ["10.0.0.0"], "")},
    ),
    "H3": Rule("newcomers are served by age", (P, service("s", age=9), service("t", age=1)), given("10.0.0.1")),
    "I1": Rule(
        "an address of several counts once",
        (P, shares("s"), shares("t", port=443)),
        pools={"p": (4, 1)},
    ),
    "I2": Rule(
        "addresses that a pool avoids do not count",
        (pool("p", "10.0.0.0/24", avoidBuggyIPs=True), WEB),
        pools={"p": (254, 1)},
    ),
    "I3": Rule("a huge pool counts 2^63-1", (pool("p", "fd00::/32"),), pools={"p": ((1 << 63) - 1, 0)}),
}
