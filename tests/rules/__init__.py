"""MetalLB's rules of allocation and announcement, each with an id and a cluster that shows it.

As `speakerd plan` tells it. `A`: what a Service says, `B`: how it converges, `C`: which pool, `D`: which address, `E`:
sharing, `F`: families, `G`: pools that change in use, `H`: the start, `I`: counts, `L`: who announces by layer 2, `R`:
by BGP. Where speakerd is better on purpose the rule says so. `removals` has for each what takes it out of the code:
without the rule its case must fail (`python -m tests.rules`).
"""

from tests.rules.allocation import ALLOCATION
from tests.rules.announcing import ANNOUNCING
from tests.rules.clusters import Rule
from tests.rules.holding import HOLDING

RULES: dict[str, Rule] = ALLOCATION | HOLDING | ANNOUNCING
