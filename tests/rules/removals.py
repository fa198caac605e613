"""For every rule, what takes just that rule out of the code."""

from tests.rules.removals_allocation import REMOVALS_OF_ALLOCATION
from tests.rules.removals_announcing import REMOVALS_OF_ANNOUNCING
from tests.rules.removing import Removal

REMOVALS: dict[str, Removal] = REMOVALS_OF_ALLOCATION | REMOVALS_OF_ANNOUNCING
