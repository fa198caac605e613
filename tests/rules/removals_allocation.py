"""How each rule of allocation is taken out (A to I)."""

from tests.rules.removing import Removal, out

REMOVALS_OF_ALLOCATION: dict[str, Removal] = {
    "A1": out("snapshot.py", 'spec.type == "LoadBalancer"', "True"),
    "A2": out("snapshot.py", "spec.load_balancer_class == load_balancer_class", "True"),
    "A3": out("annotations.py", "text or load_balancer_ip", "text"),
    "A4": out("annotations.py", "text or load_balancer_ip", "load_balancer_ip"),
    "A5": out("annotations.py", "if text and load_balancer_ip", "if False"),
    "A6": out("annotations.py", "value(annotations, POOL)", '""'),
    "A7": out("annotations.py", "(NEW, OLD)", "(NEW,)"),
    "A8": out("annotations.py", "if prefix + name in annotations", "if annotations.get(prefix + name)"),
    "A9": out("annotations.py", 'wanted.split(",", 2)', 'wanted.split(",")[:2]'),
    "A10": out("annotations.py", " or len({ip.version for ip in ips}) < len(ips)"),
    "A11": out("annotations.py", "if len(ips) < len(parts) <= 2", "if False"),
    "B1": out("snapshot.py", "not balanced and bool(ips or pool)", "False"),
    "B2": out("wish.py", "if not grounds.space.pools", "if False"),
    "B3": out(
        "wish.py",
        "tuple(ip.version for ip in service.cluster_ips)",
        "tuple(ip.version for ip in service.cluster_ips) or (4,)",
    ),
    "B4": out("wish.py", "if service.family_policy is FamilyPolicy.REQUIRE_DUAL", "if False"),
    "B5": out("wish.py", "if families not in alternatives and families != _families(service.cluster_ips)", "if False"),
    "B6": out("wish.py", 'if keeps.ips and request.pool in ("", keeps.pool)', "if False")
    + out(
        "allocator.py",
        "self._grounds.space.lowest(pool, wanted, self._occupancy.in_use, joins) if at is None else at",
        "min((each for each in (at, self._grounds.space.lowest(pool, wanted, self._occupancy.in_use, joins)) if each),"
        " default=None)",
    ),
    "B7": out("wish.py", ' and request.pool in ("", keeps.pool)'),
    "B8": out("wish.py", "keeps.pool == pool and set(keeps.ips) == set(request.ips)", "keeps.ips"),
    "B9": out(
        "wish.py", "_refused(refusal, keeps)", "_refused(refusal, Assignment() if service.request.reason else keeps)"
    ),
    "B10": out(
        "wish.py", "_refused(refusal, keeps)", "_refused(refusal, keeps if service.request.reason else Assignment())"
    ),
    "B11": out("allocator.py", "if not occupancy.taken(at) and at in self._grounds.space", "if False"),
    "C1": out("wish.py", "    if None in pools:", '    if None in pools:\n        return ""\n    if False:'),
    "C2": out("wish.py", "if not _serves(pool, service)", "if not (_serves(pool, service) and pool.auto_assign)"),
    "C3": out("wish.py", "if not _serves(pool, service)", "if False"),
    "C4": out("wish.py", 'if request.pool not in ("", pool.name)', "if False"),
    "C5": out("wish.py", "((service.request.pool,),)", "((service.request.pool,), space.open)"),
    "C6": out(
        "wish.py",
        "    if request.pool and request.pool not in space.pools:",
        "    if request.pool and request.pool not in space.pools:\n"
        '        return _wish(replace(service, request=replace(request, pool="")), space, keeps, alternatives)\n'
        "    if False:",
    ),
    "C7": out("wish.py", "if service.request.pool:", "if service.request.pool in (*space.open, *space.pinned):"),
    "C8": out("wish.py", "if request.pool and not _serves(space.pools[request.pool], service)", "if False"),
    "C9": out("search.py", " if pool.auto_assign"),
    "C10": out("search.py", "sorted(pools, key=lambda each: each.name)", "pools")
    + out("config/resolve.py", "sorted(good_pools, key=lambda p: p.name)", "good_pools"),
    "C11": out("wish.py", "(pinned, space.open)", "(space.open, pinned)"),
    "C12": out("search.py", "(not each.priority, each.priority)", "0"),
    "C13": out("snapshot.py", "seen.namespace in allocation.namespaces", "allocation.namespaces"),
    "C14": out("snapshot.py", "selectors.any_matches(allocation.namespace_selectors, own)", "True"),
    "C15": out("snapshot.py", "not selectors.any_matches(allocation.service_selectors, labels)", "False"),
    "C16": out(
        "snapshot.py",
        "allocation.namespace_selectors) or seen",
        "allocation.namespace_selectors) or allocation.service_selectors or seen",
    ),
    "D1": out("search.py", "for each in pool.ranges]", "for each in sorted(pool.ranges)]"),
    # Nearly every case is given an address that ends in 0: that half of the rule goes without saying.
    "D2": out(
        "search.py",
        "return self._skips_buggy and",
        "return self.family == 4 and at & 0xFF == 255 or self._skips_buggy and",
    ),
    "D3": out("search.py", "self._skips_buggy and at & 0xFF in (0, 255)", "False")
    + out("model.py", "if self.avoid_buggy and ip.version == 4 and int(ip) & 0xFF in (0, 255)", "if False"),
    "D4": out("search.py", "if at < self._next and at not in self._waiting and not self._barred(at)", "if False"),
    "E1": out(
        "model.py", "other is not None and self.group == other.group and self.ports.isdisjoint(other.ports)", "False"
    ),
    "E2": out("snapshot.py", "(each.protocol, each.port)", '("", each.port)'),
    "E3": out("model.py", " and self.ports.isdisjoint(other.ports)")
    + out("sharing.py", "in sharing.ports] if group", "in ()] if group"),
    "E4": out("model.py", "return self.key, self.backend", 'return "", self.backend'),
    "E5": out("snapshot.py", "    if not key:", '    if "metallb.io/allow-shared-ip" not in noted:'),
    "E6": out(
        "snapshot.py", '",".join(f"{name}={value}" for name, value in sorted(selector.items()))', "str(bool(selector))"
    ),
    "E7": out("snapshot.py", '{} if spec.external_traffic_policy == "Local" else {}', "{}"),
    "E8": out("snapshot.py", 'backend = ",".join(', 'backend = spec.external_traffic_policy + ",".join('),
    "E9": out(
        "allocator.py",
        "self._occupancy.in_use, joins) if at",
        "lambda at: not places and self._occupancy.in_use(at), joins) if at",
    ),
    "E10": out("allocator.py", "if common and rival != service.key", "if False"),
    "E11": out(
        "allocator.py", "in places if not occupancy.open_to(at, service)", "in places if occupancy.stranger(at)"
    ),
    "E12": out("allocator.py", "self._occupancy.constancy(service), *_rank", "0, *_rank"),
    "E13": out(
        "allocator.py",
        "if all(service.shares_with(self.services[key])",
        "if self._occupancy.constancy(service) < 2 and all(service.shares_with(self.services[key])",
    )
    + out(
        "allocator.py",
        "own = self._own(service, wish) if",
        "own = {} if self._occupancy.constancy(service) == 2 else self._own(service, wish) if",
    ),
    "F1": out("wish.py", "return (primary,)", "return ((4, 6), primary)"),
    "F2": out("wish.py", "return (primary,)", "return ((4,),)"),
    "F3": out("wish.py", "return ((4, 6),)", "return (primary[:1],)")
    + out("wish.py", "if not space.offers(keeps.pool, other)", "if service.family_policy is FamilyPolicy.REQUIRE_DUAL"),
    "F4": out(
        "allocator.py",
        "self._grounds.space.lowest(pool, wanted, self._occupancy.in_use, joins) if at",
        "next(\n"
        "                (\n"
        "                    found\n"
        "                    for each in (pool, *self._grounds.space.open)\n"
        "                    if (found := self._grounds.space.lowest(each, wanted, self._occupancy.in_use, joins))\n"
        "                ),\n"
        "                None,\n"
        "            ) if at",
    ),
    "F5": out(
        "allocator.py",
        "for families in wish.families:\n                for pool in tier:",
        "for pool in tier:\n                for families in wish.families:",
    ),
    "F6": out("wish.py", "primary[:1], primary[1:])", "primary[1:], primary[:1])"),
    "F7": out("wish.py", "primary[:1], primary[1:])", "primary[:1])"),
    "F8": out("annotations.py", "return Request(ips, pool)", "return Request(tuple(sorted(ips, key=int)), pool)"),
    "F9": out("wish.py", "if _families(request.ips) != _families(service.cluster_ips)", "if False"),
    "F10": out(
        "wish.py",
        "case FamilyPolicy.SINGLE:\n            return ()",
        "case FamilyPolicy.SINGLE:\n            return (primary[:1],)",
    ),
    "F11": out("wish.py", "    if request.ips:", "    if request.ips and alternatives:"),
    "F12": out("wish.py", "if not space.offers(keeps.pool, other)", "if True"),
    "F13": out("allocator.py", "    if not keeps.ips:\n        return refusal", "    if True:\n        return refusal"),
    "G1": out(
        "wish.py",
        "if pool and _serves(pool, service) else",
        'if pool and service.pool in ("", pool.name) and _serves(pool, service) else',
    )
    + out("allocator.py", "if service.ips or key in self._occupancy.named", "if key in self._occupancy.named"),
    "G2": out("wish.py", "if grounds.faulty and None in pools", "if None in pools"),
    "G3": out("model.py", "if self.avoid_buggy and ip.version == 4 and int(ip) & 0xFF in (0, 255)", "if False"),
    "G4": out("wish.py", "if pool and _serves(pool, service) else", "if pool else"),
    "G5": out(
        "wish.py",
        "if pool and _serves(pool, service) else",
        "if pool and pool.auto_assign and _serves(pool, service) else",
    ),
    "G6": out("wish.py", "service.ips and not grounds.gone", "service.ips"),
    "G7": out("allocator.py", "if service.ips or key in self._occupancy.named", "if key in self._occupancy.named"),
    "G8": out(
        "wish.py",
        "    if not space.offers(keeps.pool, other):\n        return None",
        "    if not space.offers(keeps.pool, other):\n        return Wish(((4, 6),), tiers=_tiers(service, space))",
    ),
    "H1": out(
        "occupancy.py",
        "return at in self.shown or at in self.reservations or at in self.chosen",
        "return at in self.reservations or at in self.chosen",
    ),
    "H2": out("allocator.py", "constancy(service), *_rank(service)", "constancy(service), service.key"),
    "H3": out("allocator.py", "return service.created, service.key", 'return "", service.key'),
    "I1": out(
        "outlook.py",
        "{ip for each in course.plan.assignments.values() for ip in each.ips}",
        "[ip for each in course.plan.assignments.values() for ip in each.ips]",
    ),
    "I2": out("model.py", "if not (self.avoid_buggy and each.family == 4)", "if True"),
    "I3": out("outlook.py", "MOST = (1 << 63) - 1", "MOST = (1 << 64) - 1"),
}
