"""Rules of allocation (E to I): with whom an address is held, in which families, and for how long; counts."""

from tests.rules.clusters import (
    DUAL,
    K_80,
    K_443,
    WEB,
    P,
    Q,
    Rule,
    dual,
    given,
    joined,
    keeps,
    pinned,
    pool,
    refused,
    service,
    shares,
)

HOLDING: dict[str, Rule] = {
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
        (
            P,
            shares("s", selector={"a": "2"}),
            shares("t", port=443, externalTrafficPolicy="Local", selector={"a": "2"}),
        ),
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
        (P, shares("s", "10.0.0.1"), shares("t"), shares("u", loadBalancerIP="10.0.0.1")),
        {"u": ("refused", [], "port-already-used-on-address")},
    ),
    "E11": Rule(
        "who asks for one that is not shared is told so",
        (P, service("other", "10.0.0.1"), service("s", loadBalancerIP="10.0.0.1")),
        refused("address-held-and-not-shareable"),
    ),
    "E12": Rule(
        "who changes key, traffic policy or ports so that it no longer agrees is moved, be it the older",
        (
            P,
            Q,
            shares("s", "10.0.0.0", key="x"),
            shares("t", "10.0.0.0", age=1, port=443),
            joined("10.0.0.0", s=K_80, t=K_443),
            shares("u", "10.0.0.1", externalTrafficPolicy="Local", selector={"a": "1"}),
            shares("v", "10.0.0.1", age=1, port=443),
            joined("10.0.0.1", u=K_80, v=K_443),
            shares("w", "10.0.0.2", port=443),
            shares("x", "10.0.0.2", age=1, port=443),
            joined("10.0.0.2", w=K_80, x=K_443),
        ),
        {
            **given("10.0.0.3"),
            "t": ("kept", ["10.0.0.0"], ""),
            "u": ("assigned", ["10.0.1.0"], ""),
            "v": ("kept", ["10.0.0.1"], ""),
            "w": ("assigned", ["10.0.1.1"], ""),
            "x": ("kept", ["10.0.0.2"], ""),
        },
    ),
    "E13": Rule(
        "a sole holder changes them in place",
        (P, shares("s", "10.0.0.1", key="x"), joined("10.0.0.1", s=K_80)),
        keeps("10.0.0.1"),
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
    "F6": Rule(
        "else the first family",
        (pool("a", "fd00::/127"), P, dual("s", policy="PreferDualStack")),
        given("10.0.0.0"),
    ),
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
        (pool("a", "fd0a::/127"), DUAL, dual("s", "10.2.0.1", policy="PreferDualStack")),
        given("10.2.0.1", "fd00::"),
    ),
    "F13": Rule(
        "and lives without where the pool has none",
        (
            P,
            pool("full", "10.5.0.0/30", "fd05::/128"),
            dual("s", "10.0.0.1", policy="PreferDualStack"),
            dual("t", "10.5.0.1", policy="PreferDualStack"),
            service("u", "fd05::", clusterIPs=["fd96::9"]),
        ),
        keeps("10.0.0.1") | {"t": ("kept", ["10.5.0.1"], "")},
    ),
    "G1": Rule(
        "a pool that was renamed keeps its holders",
        (pool("new", "10.0.0.0/30"), service("s", "10.0.0.1", note={"ip-allocated-from-pool": "old"})),
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
