"""What would become of a VIP: who takes it at a death, a drain or a return, and what stands in the way; pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from speakerd.decision import Plan
from speakerd.exchange import READY, Candidate, Claim, Observed, Vip
from speakerd.model import unpacked
from speakerd.ownership.heirs import best
from speakerd.ownership.ranking import ranking
from speakerd.ownership.returns import CALM, PATIENCE

HERE = frozenset({"alive", "suspect"})
"""States of a member that may be given a VIP."""
NOBODY_ELSE = "no other node is a candidate"


class Standing(Struct, frozen=True):
    """A node as a candidate: its `state` in the mesh (that of this node: alive, or down without an announcer)."""

    state: str = "unheard"
    drained: bool = False

    @property
    def ready(self) -> bool:
        """Whether it may be given a VIP."""
        return self.state in HERE and not self.drained

    def __str__(self) -> str:
        return f"{self.state}, drained" if self.drained else self.state


UNHEARD = Standing()


def standings(observed: Observed, me: str, *, drained: bool) -> dict[str, Standing]:
    """Every member, as this node sees it; `drained`: this node is."""
    others = {each.name: Standing(each.state, each.drained) for each in observed.members}
    return {**others, me: Standing("alive" if observed.facts.pid else "down", drained)}


class Change(Struct, frozen=True, rename="camel"):
    """What would move a VIP: `when` that happens it goes `to` that node ("": to none), with this cause; in words."""

    when: str
    to: str
    cause: str
    text: str


def line(vip: Vip, candidates: Sequence[Candidate], claim: Claim | None) -> list[str]:
    """Who takes a VIP at its owner's death, first to last: the heir, then the others in ranking order."""
    others = [name for name in ranking(vip.rank_by, candidates) if claim is None or name != claim.owner]
    heir = claim.heir if claim else ""
    return [heir, *(name for name in others if name != heir)] if heir in others else others


def changes(vip: Vip, candidates: Sequence[Candidate], claim: Claim, known: Mapping[str, Standing]) -> list[Change]:
    """All that would move a VIP which has an owner, and what would not although one may think so."""
    owner = claim.owner
    ready = [name for name in line(vip, candidates, claim) if known.get(name, UNHEARD).ready]
    to = ready[0] if ready else ""
    at_death = f"{to} at once" if to else "nobody could take it over"
    at_drain = f"{to}, without a question left open" if to else f"it stays at {owner}: nobody else can take it"
    found = [Change(f"{owner} dies", to, "owner-dead", at_death)]
    if not known.get(owner, UNHEARD).drained:
        found.append(Change(f"{owner} is drained", to or owner, "drain", at_drain))
    return [*found, *_returns(vip, candidates, owner, known)]


def _returns(vip: Vip, candidates: Sequence[Candidate], owner: str, known: Mapping[str, Standing]) -> list[Change]:
    """What those do that are preferred, or that cannot take it now."""
    calm = f"after {CALM:.0f} s of calm (up to {PATIENCE / 60:.0f} min where it was lost again soon)"
    top = {each.node for each in best(candidates)}
    names = [name for name in ranking(vip.rank_by, candidates) if name != owner]
    ready = [name for name in names if known.get(name, UNHEARD).ready]
    preferred = next((name for name in ready if name in top), "")
    if owner not in top and preferred:
        return [Change("all stays as it is", preferred, "preference", f"{preferred} is preferred and takes it {calm}")]
    away = [name for name in names if name not in ready]
    back = [name for name in away if owner not in top and name in top]
    stays = [name for name in away if name not in back]
    found = [
        Change(f"{name} is ready again", name, "preference", f"it is preferred and takes it {calm}") for name in back
    ]
    if stays:
        found.append(Change(f"{' or '.join(stays)} is ready again", owner, "", f"it stays at {owner}"))
    return found


def weight(candidate: Candidate) -> int:
    """The weights of all preferences that name a candidate, without what its endpoints add."""
    return candidate.score % READY


class Progress(Struct, rename="camel"):
    """How far a drain is: addresses this node answers for -> why it cannot hand them over, "" while it is about to."""

    drained: bool
    here: dict[str, str]


def progress(plan: Plan, observed: Observed, *, drained: bool) -> Progress:
    """Of this node. Costs what this node answers for; candidates are looked at once a set of them."""
    wanted = plan.wanted
    known = standings(observed, wanted.me, drained=drained)
    stuck = [_stuck([each.node for each in names], wanted.me, known) for names in wanted.candidate_sets]
    here = {}
    for ip, claim in observed.claims.items():
        if claim.owner == wanted.me:
            vip = wanted.vips.get(ip)
            here[str(unpacked(ip))] = stuck[vip.candidates] if vip else ""
    return Progress(drained, here)


def _stuck(candidates: Sequence[str], me: str, known: Mapping[str, Standing]) -> str:
    """Why no candidate but this node can be given a VIP, "" where one can."""
    others = {name: known.get(name, UNHEARD) for name in candidates if name != me}
    if any(each.ready for each in others.values()):
        return ""
    return ", ".join(f"{name} is {each}" for name, each in others.items()) or NOBODY_ELSE
