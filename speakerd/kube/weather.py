"""What only time brings: that the API has been out of sight for long, that pools are gone for good; a core."""

BLIND = 10.0
"""Seconds without a watch from which on members may tell this node what they see."""
GONE, GONE_WITH_KIND = 10.0, 600.0
"""Seconds until all pools are gone for good: where they were deleted, and where their CRD was, with them."""


class Weather:
    """`blind`: what the watches had reached, once one of them has been down for BLIND seconds, else 0.

    `pools_gone`: all pools that there were are gone for good, and not with their CRD, by accident: while one is deleted
    its objects go first. `had_pools`: to be set once there is one.
    """

    def __init__(self) -> None:
        self.blind, self.pools_gone, self.had_pools = 0, False, False
        self._down_since: float | None = None
        self._empty_since: float | None = None

    def look(self, now: float, reached: int | None, *, pools: bool, kind: bool) -> bool:
        """Note what is so; whether anything is another. `reached`: by the watches, None: all of them work.

        `pools`: there are some; `kind`: the API knows of pools.
        """
        before = self.blind, self.pools_gone
        self.blind = self._blind(now, reached)
        self.pools_gone = self._gone(now, pools=pools, kind=kind)
        return before != (self.blind, self.pools_gone)

    def _blind(self, now: float, reached: int | None) -> int:
        if reached is None:
            self._down_since = None
            return 0
        self._down_since = now if self._down_since is None else self._down_since
        return reached if now - self._down_since >= BLIND else 0

    def _gone(self, now: float, *, pools: bool, kind: bool) -> bool:
        self.had_pools |= pools
        if pools or not self.had_pools:
            self._empty_since = None
            return False
        self._empty_since = now if self._empty_since is None else self._empty_since
        return now - self._empty_since >= (GONE if kind else GONE_WITH_KIND)
