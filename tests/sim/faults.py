"""What goes wrong in a scenario, as values: each begins at a time, lasts a while, and can be left out to shrink it."""

from msgspec import Struct


class Fault(Struct, frozen=True, tag=True):
    """Begins at `at` and lasts `span` simulated seconds (for ever where it cannot end)."""

    at: float
    span: float

    @property
    def end(self) -> float:
        """When it is over."""
        return self.at + self.span


class Kill(Fault, frozen=True):
    """A node dies whole, and boots again when `span` is over (if ever); `echo`: somebody replays what it said last."""

    node: int
    back: bool
    echo: bool


class Crash(Fault, frozen=True):
    """A node's announcer dies and is started again after `span`, in the same life of the host."""

    node: int


class Pause(Fault, frozen=True):
    """A node's announcer stands still; its clock goes on."""

    node: int


class Suspend(Fault, frozen=True):
    """A virtual machine is stopped, clocks and all, and does not notice."""

    node: int


class Unplug(Fault, frozen=True):
    """A node's cable is out on one segment; its kernel notices."""

    node: int
    segment: int


class Misplaced(Fault, frozen=True):
    """A node's switch port is in another network on one segment: carrier is up, and UDP takes another way."""

    node: int
    segment: int


class Cut(Fault, frozen=True):
    """Nothing passes from `sources` to the others by `carriers` (0 UDP, 1 frames), and back unless `one_way`."""

    sources: tuple[int, ...]
    carriers: tuple[int, ...]
    one_way: bool


class Parted(Fault, frozen=True):
    """Nothing passes between two nodes, by either carrier, while all others hear both."""

    one: int
    other: int


class Deaf(Fault, frozen=True):
    """A node hears nothing by `carriers`."""

    node: int
    carriers: tuple[int, ...]


class Bad(Fault, frozen=True):
    """The network loses, delays and doubles: shares of all messages, seconds at most."""

    loss: float
    delay: float
    double: float


class Leave(Fault, frozen=True):
    """A node's agent is stopped in order, and started again after `span`: another life."""

    node: int


class Drain(Fault, frozen=True):
    """A node is drained by its operator, and given back."""

    node: int


class Exclude(Fault, frozen=True):
    """A node is no candidate for a VIP; the others learn of it up to `spread` seconds apart."""

    node: int
    vip: int
    spread: float


class Unkeyed(Fault, frozen=True):
    """A node has another key than the others."""

    node: int


class Stranger(Fault, frozen=True):
    """A host that is no member answers for a VIP."""

    vip: int


class Remove(Fault, frozen=True):
    """A VIP's Service is deleted, and created again."""

    vip: int
    spread: float


class Outage(Fault, frozen=True):
    """The API server is silent for some nodes: what changes meanwhile they learn when it is over, also if they boot."""

    nodes: tuple[int, ...]


class Join(Fault, frozen=True):
    """A node that was in no record starts for the first time; the others learn of it up to `spread` seconds apart."""

    node: int
    spread: float


Host = Kill | Crash | Pause | Suspend | Leave | Join
Network = Unplug | Misplaced | Cut | Parted | Deaf | Bad | Unkeyed | Stranger
Cluster = Drain | Exclude | Remove | Outage
AnyFault = Host | Network | Cluster
