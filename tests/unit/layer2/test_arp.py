"""What is said by ARP, byte for byte as Linux says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.layer2 import arp

# Linux 6.18: 192.0.2.11 asks for 192.0.2.10, and the answer.
QUESTION = bytes.fromhex("ffffffffffff02000000000b0806000108000604000102000000000bc000020b000000000000c000020a")
ANSWER = bytes.fromhex("02000000000b02000000000a0806000108000604000202000000000ac000020a02000000000bc000020b")
MAC, IP = ANSWER[6:12], ANSWER[28:32]


def test_a_reply_is_the_one_linux_gives() -> None:
    assert arp.is_request(QUESTION)
    assert arp.reply(arp.reply_head(MAC, IP), QUESTION[22:28], QUESTION[28:32]) == ANSWER


def test_an_announcement_is_a_broadcast_question_of_the_owner_for_itself() -> None:
    assert arp.announcement(MAC, IP).hex(" ", -4) == (
        "ffffffff ffff0200 0000000a 08060001 08000604 00010200 0000000a c000020a 00000000 0000c000 020a"
    )


def test_an_unasked_reply_is_broadcast_to_all() -> None:
    assert arp.unasked_reply(MAC, IP).hex(" ", -4) == (
        "ffffffff ffff0200 0000000a 08060001 08000604 00020200 0000000a c000020a ffffffff ffffc000 020a"
    )


@pytest.mark.parametrize("length", range(len(QUESTION)))
def test_every_truncation_is_no_question(length: int) -> None:
    assert not arp.is_request(QUESTION[:length])


def test_an_answer_is_no_question() -> None:
    assert not arp.is_request(ANSWER)


@given(st.integers(12, 21), st.integers(1, 255))
def test_whatever_is_not_ipv4_over_ethernet_is_no_question(at: int, change: int) -> None:
    frame = bytearray(QUESTION)
    frame[at] ^= change
    assert not arp.is_request(bytes(frame))
