"""Pools and Services to assignments: holders keep what they hold, then the oldest Service chooses first.

An address is free when no status names it (of whatever Service), no Lease reserves it, and no older Service chose it;
those of one sharing key may have one together. Of holders that no longer agree whoever has changed is moved.
The outcome depends on the arguments alone; the Book only saves the work for which nothing has changed.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from speakerd.difference import Difference, Draft, difference
from speakerd.model import IP, Assignment, Config, Family, Reason, Release, Service, Sharing
from speakerd.occupancy import Ledger, Occupancy, enter, strike
from speakerd.search import address, family, place
from speakerd.wish import Families, Standing, Wish, grounds, standing

Rank = tuple[str, str]
"""Age, then namespace/name: who chooses first."""
FIRST: Rank = ("", "")
LAST: Rank = ("\U0010ffff", "")

Places = tuple[int, ...]
Own = Mapping[tuple[str, Family], int]
Failed = dict[tuple[Wish, Sharing | None], Assignment]
"""What nothing is left for, and how that is told."""


class Book:
    """What one pass leaves for the next; handed over, never shared.

    `changed`: Services whose assignment, status or Leases may differ from those of the pass before. `idle`: what is to
    go of Leases whose Services no longer have the address. `unreserved`: addresses kept without a Lease that names the
    Service by its terms, by Service.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.services: dict[str, Service] = {}
        self.assignments: Mapping[str, Assignment] = {}
        self.changed: set[str] = set()
        self.idle: dict[int, Release] = {}
        self.unreserved: dict[str, tuple[IP, ...]] = {}
        self.contested = False
        self._grounds = grounds(self.config)
        self._occupancy = Occupancy(self.services)
        self._standings: dict[str, Standing] = {}
        self._draft: Draft[str, Assignment] = Draft()
        self._kept: dict[int, tuple[str, ...]] = {}
        self._queue: list[Rank] = []
        self._choices: dict[str, Places] = {}
        self._asked: dict[int, tuple[str, ...]] = {}
        self._since = LAST
        self._gained: set[int] = set()

    @property
    def ledger(self) -> Ledger:
        """The Leases as of the last pass."""
        return self._occupancy.ledger

    def turn(self, services: Difference[str, Service], ledger: Ledger) -> bool:
        """Take what changed and bring everything up to date; whether two Services turn out to hold one address."""
        self.changed = set(services)
        self._since = LAST
        touched, self._gained = self._occupancy.take_ledger(ledger)
        for key in services.gone:
            left = self._retire(key)
            touched |= left
            self._gained |= left
        for service in sorted({**self._concerned(touched), **services.put}.values(), key=self._precedence):
            touched |= self._admit(service)
        for at in touched:
            self._settle(at)
        self._let_join()
        self._serve()
        self.assignments = self._draft.publish()
        self._audit(touched)
        return self.contested

    def _precedence(self, service: Service) -> tuple[int, str, str]:
        """Who keeps its addresses first: those that hold to the terms by which they have them, then the oldest."""
        return self._occupancy.constancy(service), *_rank(service)

    def _concerned(self, touched: Iterable[int]) -> dict[str, Service]:
        """Services one of whose addresses has been set aside, or is so no longer."""
        keys = (key for at in touched for key in self._occupancy.interested(at))
        return {key: self.services[key] for key in keys if key in self.services}

    def _retire(self, key: str) -> set[int]:
        """Forget a Service; the places it no longer has."""
        service = self.services.pop(key)
        shown = set(map(place, service.ips))
        for at in shown:
            self._occupancy.hide(at, service)
        touched = shown.union(self._occupancy.named.get(key, ()))
        before = self._standings.pop(key, None)
        if before is None:
            return touched
        self._draft.drop(key)
        for at in map(place, before.keeps.ips):
            strike(self._kept, at, key)
        if before.wish is not None:
            touched.update(self._leave_queue(service, before.wish))
        return touched

    def _leave_queue(self, service: Service, wish: Wish) -> Places:
        """A Service chooses no longer; what it had chosen."""
        key = service.key
        del self._queue[bisect_left(self._queue, _rank(service))]
        for at in map(place, wish.ips):
            strike(self._asked, at, key)
        places = self._choices.pop(key)
        for at in places:
            self._occupancy.give_up(at, service)
        return places

    def _admit(self, service: Service) -> set[int]:
        """Take a new or changed Service; the places that may concern others."""
        key, before = service.key, self.services.get(service.key)
        now = self._stand(service) if service.ours else None
        if before and _same(before, service) and now == self._standings.get(key):
            self.services[key] = service
            return set()
        shown, had = (
            set(map(place, service.ips)),
            {*self._choices.get(key, ()), *map(place, before.ips if before else ())},
        )
        touched = self._retire(key) if before else set()
        self.services[key] = service
        for at in shown:
            self._occupancy.show(at, service)
        if now is not None:
            self._join(service, now)
        same = before is not None and (before.sharing, before.ours) == (service.sharing, service.ours)
        self._gained |= shown ^ had if same else shown | had
        return touched | shown.union(self._occupancy.named.get(key, ()))

    def _stand(self, service: Service) -> Standing:
        """What `service` is due; of two that hold one address and do not share it the first met keeps it.

        In a full pass that is who goes before the other by `_precedence`.
        """
        now, space = standing(service, self._grounds), self._grounds.space
        if any(map(self._occupancy.stranger, map(place, now.keeps.ips))):
            return standing(service, self._grounds, lost=True)
        others = {key for at in map(place, now.keeps.ips) if at in space for key in self._kept.get(at, ())}
        if all(service.shares_with(self.services[key]) for key in others - {service.key}):
            return now
        self.contested = True
        return standing(service, self._grounds, lost=True)

    def _join(self, service: Service, now: Standing) -> None:
        """Enter what `service` keeps, and queue it where it looks for more."""
        key = service.key
        self._standings[key] = now
        self._draft.put(key, now.keeps)
        for at in map(place, now.keeps.ips):
            enter(self._kept, at, key)
        if now.wish is not None:
            self._choices[key] = ()
            insort(self._queue, _rank(service))
            for at in map(place, now.wish.ips):
                enter(self._asked, at, key)
            self._reopen(key)

    def _reopen(self, key: str) -> None:
        """If this Service looks for addresses, it and everybody behind it choose anew."""
        if key in self._choices:
            self._since = min(self._since, _rank(self.services[key]))

    def _settle(self, at: int) -> None:
        """Find whom the change at a place concerns: all, where it came free (those older than who chose it, too)."""
        occupancy = self._occupancy
        choosers = occupancy.chosen.get(at, ())
        if not occupancy.taken(at) and at in self._grounds.space:
            self._since = FIRST
            if not choosers:
                self._grounds.space.put_back(at)
        for key in choosers:
            if not occupancy.stands(at, self.services[key]):
                self._reopen(key)
        for key in (*self._asked.get(at, ()), *(each for each in occupancy.interested(at) if each not in choosers)):
            self._reopen(key)

    def _let_join(self) -> None:
        """Where others than before have a place, whoever looks for one and may share it chooses anew."""
        concerned = {key for at in self._gained for key in self._occupancy.interested(at)}
        groups = {group for key in concerned if (group := self._group(key))}
        if groups:
            waiting = (key for _, key in self._queue if self._group(key) in groups)
            self._reopen(next(waiting, ""))

    def _group(self, key: str) -> tuple[str, str] | None:
        service = self.services.get(key)
        return service.sharing.group if service and service.sharing else None

    def _serve(self) -> None:
        """Let all choose, oldest first, from the first one that something has changed for."""
        waiting = [key for _, key in self._queue[bisect_left(self._queue, self._since) :]]
        for key in waiting:
            for at in self._choices[key]:
                self._occupancy.give_up(at, self.services[key])
                if not self._occupancy.taken(at):
                    self._grounds.space.put_back(at)
        failed: Failed = {}
        for key in waiting:
            assignment, places = self._choose(key, failed)
            self._choices[key] = places
            for at in places:
                self._occupancy.choose(at, self.services[key])
            if assignment != self._draft.get(key):
                self._draft.put(key, assignment)
                self.changed.add(key)

    def _choose(self, key: str, failed: Failed) -> tuple[Assignment, Places]:
        """What a Service is given, and the places that newly takes. `failed`: wishes for which nothing is left."""
        service, now = self.services[key], self._standings[key]
        wish = now.wish
        assert wish is not None
        if wish.ips:
            return self._requested(service, wish, now.keeps)
        own = self._own(service, wish) if service.ips or key in self._occupancy.named else {}
        if not own and (wish, service.sharing) in failed:
            return _unserved(now.keeps, wish, failed[wish, service.sharing]), ()
        places, pool = self._found(wish, own, self._occupancy.joins(service))
        if not places:
            return _unserved(now.keeps, wish, failed.setdefault((wish, service.sharing), _none_free(wish))), ()
        ips = sorted([*places, *map(place, wish.beside)])
        return Assignment(tuple(map(address, ips)), pool), places

    def _requested(self, service: Service, wish: Wish, keeps: Assignment) -> tuple[Assignment, Places]:
        """The very addresses asked for, or what is kept and who has them."""
        occupancy = self._occupancy
        places = tuple(map(place, wish.ips))
        barred = [at for at in places if not occupancy.open_to(at, service)]
        if not barred:
            return Assignment(wish.ips, wish.pool), places
        if mac := occupancy.stranger(barred[0]):
            message = f"{address(barred[0])} is answered for by {mac}"
            return replace(keeps, reason=Reason.ANSWERED_BY_STRANGER, message=message), ()
        reason, message = self._held_by(next(occupancy.rivals(barred[0], service)).key, barred[0], service)
        return replace(keeps, reason=reason, message=message), ()

    def _held_by(self, rival: str, at: int, service: Service) -> tuple[Reason, str]:
        """Why a Service can't have a place beside another."""
        other = self.services.get(rival)
        ours, theirs = service.sharing, other.sharing if other else None
        common = ours.ports & theirs.ports if ours and theirs and ours.group == theirs.group else ()
        if common and rival != service.key:
            protocol, port = min(common)
            return Reason.PORT_USED, f"port {port}/{protocol} of {address(at)} is used by {rival}"
        who = "a Lease of an earlier Service of that name" if rival == service.key else rival
        return Reason.ADDRESS_HELD, f"{address(at)} is held by {who or 'a Lease that names no Service'}"

    def _own(self, service: Service, wish: Wish) -> Own:
        """Fitting places it has already and may have: a Lease without a status is an allocation that was cut short."""
        wanted = {each for families in wish.families for each in families}
        fit = [address(at) for at in self._occupancy.own(service) if family(at) in wanted]
        pools = [self._grounds.space.pool_of(ip) for ip in fit]
        return {(pool.name, ip.version): place(ip) for ip, pool in reversed([*zip(fit, pools, strict=True)]) if pool}

    def _found(self, wish: Wish, own: Own, joins: list[int]) -> tuple[Places, str]:
        """Places that fulfil `wish`, and their pool; pools in which the Service has a place already come first."""
        pools = {pool for tier in wish.tiers for pool in tier}
        mine = tuple(dict.fromkeys(pool for pool, _ in own if pool in pools))
        for tier in (mine, *wish.tiers):
            for families in wish.families:
                for pool in tier:
                    places = self._of(pool, families, own, joins)
                    if places:
                        return places, pool
        return (), ""

    def _of(self, pool: str, families: Families, own: Own, joins: list[int]) -> Places:
        """A place of each family, free or to be joined, or nothing where one family has none."""
        places = []
        for wanted in families:
            at = own.get((pool, wanted))
            at = self._grounds.space.lowest(pool, wanted, self._occupancy.in_use, joins) if at is None else at
            if at is None:
                return ()
            places.append(at)
        return tuple(places)

    def has_another(self, key: str) -> bool:
        """Whether there is an address that the Service could be given in place of what it has."""
        service = self.services[key]
        wish = standing(service, self._grounds, lost=True).wish
        return wish is not None and not wish.ips and bool(self._found(wish, {}, self._occupancy.joins(service))[0])

    def _audit(self, touched: set[int]) -> None:
        """Bring `idle` and `unreserved` up to date."""
        occupancy = self._occupancy
        for at in touched:
            self.changed.update(occupancy.interested(at))
        for at in touched.union(*(occupancy.named.get(key, ()) for key in self.changed)):
            if release := occupancy.release(at):
                self.idle[at] = release
            else:
                self.idle.pop(at, None)
        for key in self.changed:
            lacking = self._lacking(key)
            if lacking:
                self.unreserved[key] = lacking
            else:
                self.unreserved.pop(key, None)

    def _lacking(self, key: str) -> tuple[IP, ...]:
        """Addresses that a Service keeps and whose Leases do not say so; none while no pool says that they are ours."""
        service = self.services.get(key)
        if service is None or not service.ours or not self.config.pools:
            return ()
        kept = (ip for ip in self.assignments[key].ips if ip in service.ips)
        return tuple(ip for ip in kept if self._occupancy.lacks(place(ip), service))


def assign(
    services: Mapping[str, Service], changed: Difference[str, Service], config: Config, ledger: Ledger, book: Book
) -> tuple[Mapping[str, Assignment], Book]:
    """What every Service of ours is given; `book` is the last pass' or a new one, and is used up.

    `changed`: how `services` differ from those of the last pass; a new book takes them all.
    """
    if not book.services or book.contested or (book.config is not config and book.config != config):
        return _anew(services, config, ledger, book)
    if not changed and ledger is book.ledger:
        book.changed = set()
    elif book.turn(changed, ledger):
        return _anew(services, config, ledger, book)
    return book.assignments, book


def _anew(
    services: Mapping[str, Service], config: Config, ledger: Ledger, before: Book
) -> tuple[Mapping[str, Assignment], Book]:
    """A pass over everything, the oldest first."""
    book = Book(config)
    book.turn(difference({}, services), ledger)
    book.changed |= before.services.keys() | before.changed
    return book.assignments, book


def _rank(service: Service) -> Rank:
    return service.created, service.key


def _same(before: Service, service: Service) -> bool:
    """Whether it is the same Service in the same place of the queue, with the same status."""
    return (
        before.uid == service.uid
        and before.created == service.created
        and before.ours == service.ours
        and before.ips == service.ips
        and before.sharing == service.sharing
    )


def _unserved(keeps: Assignment, wish: Wish, refusal: Assignment) -> Assignment:
    """What is kept, with the reason; that there is no second address beside it is told, and no fault."""
    if not keeps.ips:
        return refusal
    reason = Reason.NONE if wish.beside else refusal.reason
    return replace(keeps, reason=reason, message=refusal.message)


def _none_free(wish: Wish) -> Assignment:
    """The refusal where pools are full."""
    names = " or ".join("+".join(f"IPv{each}" for each in families) for families in wish.families)
    where = f'in pool "{wish.pool}"' if wish.pool else "in any pool that assigns automatically"
    return Assignment(reason=Reason.NO_FREE_ADDRESS, message=f"no free {names or 'pair of addresses'} {where}")
