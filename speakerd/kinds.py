"""Which body belongs to which kind of message: membership carries what ownership says, and neither knows the other."""

from collections.abc import Mapping

from msgspec import Struct

from speakerd.membership.envelope import Kind
from speakerd.ownership import message
from speakerd.ownership.message import Answer, Ask, Claims, Heard, Pull, Question

KINDS: Mapping[type[Struct], Kind] = {
    Claims: Kind.CLAIMS,
    Pull: Kind.PULL,
    message.Proposal: Kind.PROPOSAL,
    message.Consent: Kind.CONSENT,
    message.Offer: Kind.OFFER,
    message.Refusal: Kind.REFUSAL,
    Question: Kind.QUESTION,
    Answer: Kind.ANSWER,
    Ask: Kind.ASK,
    Heard: Kind.HEARD,
    message.Later: Kind.LATER,
}
BODIES = {kind: body for body, kind in KINDS.items()}
