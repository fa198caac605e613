"""A VIP seen by client and onlooker of the LAN, through rules that stand in for kube-proxy, while something happens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tests.lab.eyes import looking, plan
from tests.lab.net import Host, Lan
from tests.lab.outage import Outage, outage
from tests.lab.standin import Forward, forward


class Watch(Struct):
    """`found`: once the block has ended."""

    found: Outage | None = None

    @property
    def outage(self) -> Outage:
        """What was seen."""
        assert self.found is not None
        return self.found


@contextmanager
def watched(lan: Lan, folder: Path, address: str, pods: Host) -> Iterator[Watch]:
    """Look at `address`, whose traffic goes to `pods`, from the block's begin to its end."""
    wanted = plan(lan, [address], ())
    forward(lan, [Forward(address, 80, [pods])])
    watch = Watch()
    with looking(lan, folder, wanted) as eyes:
        eyes.served()
        began = time.time()
        yield watch
        watch.found = outage(eyes.end(), wanted, began, began)
    print(f"{address}: {watch.found}")
