"""The same event reads alike on a terminal, as JSON and in the journal."""

import msgspec

from speakerd import log


def test_text_quotes_what_would_be_read_as_two_words() -> None:
    line = log.text({"event": "vip.owned", "level": "info", "ip": "10.0.0.1", "why": "no endpoints", "none": ""})
    assert line.endswith('info    vip.owned ip=10.0.0.1 why="no endpoints" none=""')


def test_json_is_one_object_with_all_fields() -> None:
    fields = msgspec.json.decode(log.json({"event": "vip.owned", "level": "info", "n": 3, "path": object}))
    assert (fields["event"], fields["level"], fields["n"]) == ("vip.owned", "info", 3)


def test_the_journal_gets_a_message_for_people_and_fields_for_queries() -> None:
    entry = log.journal({"event": "vip.owned", "level": "warning", "ip": "10.0.0.1"})
    assert b"MESSAGE=vip.owned ip=10.0.0.1\n" in entry
    assert b"PRIORITY=4\n" in entry
    assert b"SPEAKERD_IP=10.0.0.1\n" in entry


def test_a_value_of_several_lines_cannot_forge_a_journal_field() -> None:
    entry = log.journal({"event": "e", "level": "info", "text": "a\nPRIORITY=0"})
    assert b"SPEAKERD_TEXT\n" + (12).to_bytes(8, "little") + b"a\nPRIORITY=0\n" in entry
