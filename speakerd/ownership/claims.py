"""Which VIPs this node answers for: the first of the ranking among a VIP's candidates.

Who lives is an observed value: the candidates of `Wanted`, less those in `gone`.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from speakerd.model import Claim, Stake
from speakerd.ownership.ranking import first


class Claims:
    """The claims this node knows, by packed address.

    `mine`: VIPs it answers for -> names of the interfaces to answer on, none named means every usable one. `standby`:
    VIPs it may have to answer for one day.
    """

    def __init__(self, remembered: Mapping[bytes, Claim] | None = None) -> None:
        self._remembered = dict(remembered or {})
        self._stakes: dict[bytes, Stake] = {}
        self._me = ""
        self.known: dict[bytes, Claim] = {}
        self.mine: dict[bytes, tuple[str, ...]] = {}
        self.standby: set[bytes] = set()

    def rename(self, me: str, now: float) -> bool:
        """Answer under the name `me`; whether that changed anything."""
        if me == self._me:
            return False
        self._me = me
        return self.apply(dict(self._stakes), now)

    def apply(self, changes: Mapping[bytes, Stake | None], now: float) -> bool:
        """Take new, changed and gone (None) VIPs; whether any claim changed."""
        changed = False
        for ip, stake in changes.items():
            changed |= self._withdraw(ip) if stake is None else self._take(ip, stake, now)
        return changed

    def _withdraw(self, ip: bytes) -> bool:
        self._stakes.pop(ip, None)
        self.mine.pop(ip, None)
        self.standby.discard(ip)
        return self.known.pop(ip, None) is not None

    def _take(self, ip: bytes, stake: Stake, now: float) -> bool:
        self._stakes[ip] = stake
        owner = first(stake.vip.rank_by, stake.candidates)
        before = self.known.get(ip) or self._remembered.pop(ip, None)
        if before is not None and before.owner == owner:
            claim = replace(before, interfaces=stake.vip.interfaces)
        else:
            epoch = max(stake.vip.epoch, before.epoch if before else 0) + 1
            cause = "not-candidate" if before and before.owner else "first"
            claim = Claim(ip, epoch, owner, now, cause, stake.vip.interfaces)
        changed = self.known.get(ip) != claim
        self.known[ip] = claim
        self._sort(ip, stake, claim)
        return changed

    def _sort(self, ip: bytes, stake: Stake, claim: Claim) -> None:
        """Keep `mine` and `standby` true, so that one VIP of thousands costs no look at the others."""
        if claim.owner == self._me:
            self.mine[ip] = claim.interfaces
        else:
            self.mine.pop(ip, None)
        if any(each.node == self._me for each in stake.candidates):
            self.standby.add(ip)
        else:
            self.standby.discard(ip)
