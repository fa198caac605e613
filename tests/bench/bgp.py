"""BGP and BFD with FRR and BIRD as receivers: how soon they have our routes, how soon they forget those of the dead."""

import sys
from collections.abc import Callable, Mapping

from tests.bench.figures import Options, Outcome
from tests.bench.routing import codec, death, many, restart, service
from tests.bench.routing.receivers import KINDS
from tests.lab import net
from tests.lab.routers.router import missing

CASES: Mapping[str, Callable[[Options, Outcome], None]] = {
    "service": service.run,
    "restart": restart.run,
    "many": many.run,
    "codec": codec.run,
    "death": death.run,
}


def run(options: Options) -> Outcome:
    """The cases wished for, all without any."""
    if lacking := net.missing() or missing(KINDS.values()):
        raise SystemExit(f"error: bench: {lacking}")
    if strange := set(options.cases) - CASES.keys():
        raise SystemExit(f"error: bench: no such case: {', '.join(sorted(strange))} ({', '.join(CASES)})")
    outcome = Outcome(figures={}, goals=[])
    with net.orderly():
        for name, case in CASES.items():
            if not options.cases or name in options.cases:
                if sys.stderr.isatty():
                    sys.stderr.write(f"{name}\n")
                case(options, outcome)
    return outcome
