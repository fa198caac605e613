"""How each rule of announcement is taken out: by layer 2 (L), then by BGP (R)."""

from tests.rules.removing import Removal, out

REMOVALS_OF_ANNOUNCING: dict[str, Removal] = {
    "L1": out("advertise.py", "    if not endpoints.somewhere:", "    if False:"),
    "L2": out("snapshot.py", "and each.conditions.serving]", "and False]"),
    "L3": out("snapshot.py", "each.conditions.ready is not False", "each.conditions.ready"),
    "L4": out("advertise.py", "isinstance(found, Reason) or not service.local_policy", "isinstance(found, Reason)"),
    "L5": out("advertise.py", "isinstance(found, Reason) or not service.local_policy", "True"),
    "L6": out("advertise.py", "(each.pools is None or pool in each.pools)", "True"),
    "L7": out(
        "config/resolve.py",
        "not spec.ip_address_pools and not spec.ip_address_pool_selectors",
        "not spec.ip_address_pools",
    ),
    "L8": out(
        "config/resolve.py", "matching(spec.node_selectors, nodes or {}) if spec.node_selectors else None", "None"
    ),
    "L9": out("advertise.py", "(not each.by_service or each.name in advertised_by)", "True"),
    "L10": out(
        "advertise.py",
        "any(_selects(each, name) for each in matching)",
        "all(_selects(each, name) for each in matching)",
    ),
    "L11": out("advertise.py", "if node.excluded", "if False"),
    "L12": out(
        "advertise.py", "Reason.NETWORK_UNAVAILABLE if node.network_unavailable else Reason.NONE", "Reason.NONE"
    ),
    "L13": out(
        "snapshot.py",
        'conditions.get("NetworkUnavailable") == "True"',
        'conditions.get("NetworkUnavailable") == "True" or conditions.get("Ready") == "False"',
    ),
    "L14": out("advertise.py", "sum(each.get(name, 0) for each in weights)", "0"),
    "L15": out("ownership/ranking.py", 'f"{node}#{_text(ip)}"', "node"),
    "R1": out("routes.py", "in sorted(self._nodes)", "in sorted(self._nodes)[:1]"),
    "R2": out("routes.py", "(ip, length), strict", "(ip, ip.max_prefixlen), strict"),
    "R3": out("routes.py", "peers, wording.local_pref, wording.communities, wording.med, wording.prepend)", "peers)"),
    "R4": out(
        "config/communities.py", "known.get(each) or literal(each) for", "literal(each) or known.get(each, '') for"
    ),
    "R5": out("routes.py", "if not each.peers or peer.name in each.peers", "if True"),
    "R6": out("routes.py", "if each.nodes is None or node in each.nodes"),
    "R7": out("routes.py", "or Reason.NO_PEER", "or ((32, ((Wording(), ()),)),)"),
    "R8": out("routes.py", "service.local_policy and node not in endpoints.nodes", "False"),
    "R9": out("routes.py", "if not endpoints.somewhere", "if False"),
    "R10": out("routes.py", "if any(clash(*two) and ", "if any(False and "),
    "R11": out("config/routing.py", "one.peers and other.peers and set(one.peers).isdisjoint(other.peers)", "False"),
    "R12": out("routes.py", "two[0].length(family) == two[1].length(family)", "True"),
    "R13": out("routes.py", "if node.excluded", "if False"),
    "R15": out("outlook.py", "med=med, as_path_prepend=path.prepend or UNSET"),
    "R14": out("config/routing.py", " or communities.waits(spec.communities, aliases)"),
}
