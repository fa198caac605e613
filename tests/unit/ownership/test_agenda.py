"""The earliest wish counts, and what is handed out is off the agenda."""

from speakerd.ownership.agenda import Agenda


def test_keys_come_when_due_in_order_of_their_times() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.put("late", 3.0)
    agenda.put("soon", 1.0)
    assert agenda.deadline() == 1.0
    assert list(agenda.due(2.0, 10)) == ["soon"]
    assert list(agenda.due(3.0, 10)) == ["late"]
    assert agenda.deadline() is None


def test_the_earliest_wish_counts_and_a_key_comes_once() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.put("a", 5.0)
    agenda.put("a", 2.0)
    agenda.put("a", 9.0)
    assert list(agenda.due(10.0, 10)) == ["a"]


def test_no_more_than_asked_for_come_at_a_time() -> None:
    agenda: Agenda[int] = Agenda()
    for number in range(5):
        agenda.put(number, 1.0)
    assert list(agenda.due(1.0, 3)) == [0, 1, 2]
    assert list(agenda.due(1.0, 3)) == [3, 4]
