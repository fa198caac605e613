"""How a message between members looks: signed whole, bounded, the same on both carriers; pure.

0       1         2         3      4        8      16         24              25                26            28 octets
| magic | version | carrier | kind | key id | boot | sequence | sender length | receiver length | body length |
| sender | receiver, none: all | body | HMAC-SHA-256 of all before, 128 bits |

The carrier is signed, so that what was said by UDP cannot be said again by a frame.

Members of several versions live in one mesh, since hosts are upgraded one after the other. Nothing is negotiated; four
rules hold in every version, so that an older one reads what it knows and passes over the rest:
- Head, names and signature stay as they are here, and MOST is never exceeded. `version` counts up when something is
  added, for people and captures alone: a receiver reads every version from the first on.
- A body, and a structure within one, only gains fields at its end, each with a default for when it is missing. No field
  takes values that it did not take before, but for causes of moves: one that is not known is told as "other".
- What cannot be said so is a kind of its own. A receiver counts a kind that it does not know, and drops it: it has lost
  a message, as any network may.
- Should the head ever have to change, MAGIC does, and for one release every member speaks and reads both.
"""

from enum import StrEnum
from struct import Struct as Form

from speakerd.membership.envelope import Carrier, Envelope, Kind
from speakerd.membership.keys import TAG_BYTES, Keyring, Signer
from speakerd.wire import DecodeError

MAGIC, VERSION, OLDEST = b"\x5a", 1, 1
HEAD = Form("!cBBB4sQQBBH")
MOST = 1200
"""Octets of a message: every path carries it whole (IPv6 asks 1,280 of each link)."""
LONGEST_NAME = 253
"""Octets of a node's name (RFC 1123, as Kubernetes has it)."""
MOST_BODY = MOST - HEAD.size - 2 * LONGEST_NAME - TAG_BYTES
"""Octets of a body that fits whatever the members are called."""
KINDS = {int(kind): kind for kind in Kind}


class Refusal(StrEnum):
    """Why bytes are no message for us; DecodeError says it, counters count it."""

    FOREIGN = "foreign"
    OTHER_VERSION = "other-version"
    OTHER_CARRIER = "other-carrier"
    MALFORMED = "malformed"
    UNAUTHENTIC = "unauthentic"
    UNKNOWN_KIND = "unknown-kind"


def room(sender: str, receiver: str) -> int:
    """Octets that a body between these two may have."""
    return MOST - HEAD.size - len(sender.encode()) - len(receiver.encode()) - TAG_BYTES


def encode(envelope: Envelope, signer: Signer) -> bytes:
    """The message, signed. Raises ValueError where it would be longer than MOST."""
    sender, receiver, body = envelope.sender.encode(), envelope.receiver.encode(), envelope.body
    size = HEAD.size + len(sender) + len(receiver) + len(body) + TAG_BYTES
    if size > MOST:
        raise ValueError(f"a message of {size} octets")
    head = HEAD.pack(
        MAGIC,
        VERSION,
        envelope.carrier,
        envelope.kind,
        signer.id,
        envelope.boot,
        envelope.sequence,
        len(sender),
        len(receiver),
        len(body),
    )
    data = head + sender + receiver + body
    return data + signer.tag(data)


def decode(data: bytes, keyring: Keyring, carrier: Carrier, index: int = 0, received: int = 0) -> Envelope:
    """The message that came by `carrier`; whose it is and what it says is looked at once its signature is right.

    `index`: the interface it came by; `received`: CLOCK_BOOTTIME in microseconds. What follows a message in a frame is
    padding, or a checksum that some cards leave there. Raises DecodeError, in the words of Refusal.
    """
    if data[:1] != MAGIC:
        raise DecodeError(Refusal.FOREIGN)
    if len(data) < HEAD.size:
        raise DecodeError(Refusal.MALFORMED)
    _, version, by, kind, key, boot, sequence, of_sender, of_receiver, of_body = HEAD.unpack_from(data)
    if version < OLDEST:
        raise DecodeError(Refusal.OTHER_VERSION)
    if by != carrier:
        raise DecodeError(Refusal.OTHER_CARRIER)
    names = HEAD.size + of_sender
    text = names + of_receiver
    end = text + of_body
    size = end + TAG_BYTES
    if size > MOST or size > len(data) or (carrier is Carrier.UDP and size < len(data)):
        raise DecodeError(Refusal.MALFORMED)
    signer = keyring.named(key)
    if signer is None or not signer.signed(data[:end], data[end:size]):
        raise DecodeError(Refusal.UNAUTHENTIC)
    if kind not in KINDS:
        raise DecodeError(Refusal.UNKNOWN_KIND)
    if not boot or not of_sender:
        raise DecodeError(Refusal.MALFORMED)
    try:
        sender, receiver = data[HEAD.size : names].decode(), data[names:text].decode()
    except UnicodeDecodeError:
        raise DecodeError(Refusal.MALFORMED) from None
    return Envelope(sender, boot, receiver, carrier, index, sequence, KINDS[kind], data[text:end], received)


def key_of(data: bytes) -> bytes:
    """By which key a message that was decoded is signed."""
    return data[4:8]
