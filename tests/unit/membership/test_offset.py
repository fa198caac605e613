"""Only a clock of ours that stood still is taken for one, not a message that was late."""

from speakerd.membership.offset import WHILE, Offset

SECOND = 1_000_000
START = 100 * SECOND


def told(offset: Offset, *messages: tuple[int, int]) -> list[int]:
    """What messages say that were sent and received at these times, from START on."""
    return [offset.ahead(START + sent, START + received, 2 * SECOND) for sent, received in messages]


def test_the_first_message_says_nothing() -> None:
    assert told(Offset(), (5 * SECOND, 1)) == [0]


def test_a_clock_of_ours_that_stood_still_is_told_once() -> None:
    before, after = range(0, 5 * SECOND, SECOND), range(8 * SECOND, 12 * SECOND, SECOND)
    found = told(Offset(), *((sent, sent) for sent in before), *((sent, sent - 3 * SECOND) for sent in after))
    assert found == [0] * 5 + [3 * SECOND] + [0] * 3


def test_what_waited_while_our_clock_stood_still_tells_by_its_last_how_long_that_was() -> None:
    before, waited = range(0, 5 * SECOND, SECOND), range(5 * SECOND, 8 * SECOND, SECOND // 4)
    found = told(Offset(), *((sent, sent) for sent in before), *((sent, 4 * SECOND + 1) for sent in waited))
    assert max(found[:5]) == 0
    assert found[-1] == max(found) > 3 * SECOND - SECOND // 2


def test_a_message_that_was_late_says_nothing_of_those_that_follow_in_time() -> None:
    found = told(Offset(), *((at, at + (at == 7 * SECOND) * SECOND // 2) for at in range(0, 90 * SECOND, SECOND)))
    assert set(found) == {0}


def test_where_one_is_heard_rarely_a_late_message_says_nothing_of_the_next() -> None:
    assert told(Offset(), (0, SECOND), (9 * SECOND, 9 * SECOND), (20 * SECOND, 20 * SECOND)) == [0, 0, 0]


def test_a_clock_that_is_somewhat_faster_is_never_taken_for_one_of_ours_that_stood_still() -> None:
    found = told(Offset(), *((at, at - at // 1000) for at in range(0, 600 * SECOND, SECOND // 4)))
    assert 0 < max(found) <= 2 * WHILE // 1000


def test_a_sender_that_stood_still_hides_for_a_while_alone_that_we_do() -> None:
    offset = Offset()
    assert set(told(offset, (0, 0), *((at, at + SECOND) for at in range(SECOND, 2 * WHILE + 3 * SECOND, SECOND)))) == {
        0
    }
    sent = 2 * WHILE + 3 * SECOND
    assert told(offset, (sent, sent + SECOND // 2)) == [SECOND // 2]
