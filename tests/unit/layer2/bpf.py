"""An interpreter of classic BPF (linux/filter.h), as far as our filters go: what the kernel would do with a frame."""

from struct import iter_unpack, unpack_from

from msgspec import Struct

from speakerd.layer2 import filter as bpf


class Meta(Struct, frozen=True):
    """What the kernel knows beside the bytes: packet type (0 to us, 1 to all, 2 a group), VLAN tag, interface."""

    packet_type: int = 1
    vlan: int = 0
    interface: int = 1


BROADCAST = Meta()
LOADS = {bpf.LD_WORD: "!I", bpf.LD_HALF: "!H", bpf.LD_BYTE: "!B"}


def accepts(program: bpf.Program, frame: bytes, meta: Meta = BROADCAST) -> bool:
    """Run `program`; a load beyond the frame drops it, as in the kernel."""
    at = accumulator = 0
    for _ in range(bpf.MOST):
        code, true, false, value = program[at]
        at += 1
        match code:
            case bpf.RET:
                return value > 0
            case bpf.JA:
                at += value
            case bpf.AND:
                accumulator &= value
            case bpf.JEQ:
                at += true if accumulator == value else false
            case bpf.JGT:
                at += true if accumulator > value else false
            case bpf.JGE:
                at += true if accumulator >= value else false
            case _ if value == bpf.PACKET_TYPE:
                accumulator = meta.packet_type
            case _ if value == bpf.INTERFACE:
                accumulator = meta.interface
            case _ if value == bpf.VLAN_TAG:
                accumulator = meta.vlan
            case _:
                form = LOADS[code]
                if value + {"!I": 4, "!H": 2, "!B": 1}[form] > len(frame):
                    return False
                (accumulator,) = unpack_from(form, frame, value)
    raise AssertionError("a filter without end")


def decoded(program: bytes) -> bpf.Program:
    """The instructions of struct sock_filter[]."""
    return list(iter_unpack("=HBBI", program))
