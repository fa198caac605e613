"""YAML that operators write by mistake, and YAML that somebody wrote on purpose."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.document import Mapping, Parsed, Place, Scalar, Sequence, parse


def parsed(text: str | bytes, limit: int = 100_000) -> Parsed:
    return parse(text if isinstance(text, bytes) else text.encode(), "s.yaml", limit)


def fault(text: str | bytes) -> tuple[str, str, str]:
    (problem,) = parsed(text).problems
    return problem.object, problem.message, problem.remedy


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~\n", "\ufeff# byte order mark\n"])
def test_an_empty_file_holds_no_document_and_no_fault(text: str | bytes) -> None:
    assert parsed(text) == Parsed()


def test_every_value_knows_its_line_and_column() -> None:
    (tree,) = parsed("log:\n  level: debug\n").documents
    assert isinstance(tree, Mapping)
    place, log = tree.entries["log"]
    assert place == Place("s.yaml", 1, 1)
    assert isinstance(log, Mapping)
    assert log.entries["level"] == (Place("s.yaml", 2, 3), Scalar("debug", True, Place("s.yaml", 2, 10)))


def test_windows_line_ends_and_byte_order_mark_do_not_move_places() -> None:
    (tree,) = parsed(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").documents
    assert isinstance(tree, Mapping)
    assert tree.entries["b"] == (Place("s.yaml", 2, 1), Scalar("2", True, Place("s.yaml", 2, 4)))


@pytest.mark.parametrize("text", ["on", "no", "010", "10:30", "1_000", "0x1f", "2001-01-01", ".inf", "="])
def test_scalars_stay_as_written(text: str) -> None:
    (tree,) = parsed(f"[{text}]").documents
    assert isinstance(tree, Sequence)
    assert tree.items == (Scalar(text, True, Place("s.yaml", 1, 2)),)


def test_quotes_make_text_of_null() -> None:
    (tree,) = parsed('["", null, "null"]').documents
    assert isinstance(tree, Sequence)
    assert [each.null for each in tree.items if isinstance(each, Scalar)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "place", "what", "remedy"),
    [
        ("layer2:\n\trefresh: 60s\n", "s.yaml:2:1", "a tab in the indentation", "indent with spaces"),
        ("log\n  level: debug\n", "s.yaml:2:8", "mapping values are not allowed", "check the indentation"),
        ("a: b: c\n", "s.yaml:1:5", "mapping values are not allowed", "quote a value that holds ': '"),
        ("layer2:\n   a: 1\n  b: 2\n", "s.yaml:3:3", "did not find expected key", "indent this line"),
        ("a: [1, 2\nb: 3\n", "s.yaml:2:2", "did not find expected ',' or ']'", "close the bracket"),
        ("x: 1\na: 'never closed\n\n\n", "s.yaml:2:4", "unexpected end of stream", "close the quote"),
        ("a: @home\n", "s.yaml:1:4", "cannot start any token", "quote a value"),
        ("a: *x\n", "s.yaml:1:4", "*x names no &x before it", "quote a value that begins with *"),
        ("a: [*]\n", "s.yaml:1:6", "did not find expected alphabetic", "begins with * or &"),
        ("a: !vault x\n", "s.yaml:1:4", "tag !vault is not understood", "remove it"),
        ("a: !!python/object:os.system x\n", "s.yaml:1:4", "is not understood", "remove it"),
        (b"\xff\xfea\x00", "s.yaml:1:1", "this is UTF-16", "save the file as UTF-8"),
        (b"a: 1\nb: \xe9\n", "s.yaml:2:4", "byte 0xe9 is not UTF-8", "save the file as UTF-8"),
        (b"\x7fELF\x02\x01", "s.yaml:1:1", "character U+007F cannot stand in YAML", "is this the right file?"),
        (b"a: 1\nb: x\x00y\n", "s.yaml:2:5", "character U+0000", "is this the right file?"),
        ("a: 1\na: 2\n", "s.yaml:2:1", "key 'a' stands here a second time (first on line 1)", "merge the two"),
        ("? [a]\n: b\n", "s.yaml:1:3", "a key must be a word", "quote"),
        ("b: {<<: 1}\n", "s.yaml:1:9", "<< merges maps only", "name a map"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(text: str | bytes, place: str, what: str, remedy: str) -> None:
    found = fault(text)
    assert found[0] == place
    assert what in found[1]
    assert remedy in found[2]


def test_only_what_is_no_yaml_is_unreadable() -> None:
    assert parsed("a: [").unreadable
    assert not parsed("a: 1\na: 2\n").unreadable


def test_several_documents_are_told_apart() -> None:
    assert len(parsed("a: 1\n---\n---\nb: 2\n...\n").documents) == 2


def test_an_alias_means_the_same_value_and_a_merge_key_what_is_missing() -> None:
    (tree,) = parsed("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n").documents
    assert isinstance(tree, Mapping)
    b = tree.entries["b"][1]
    assert isinstance(b, Mapping)
    assert {key: node.text for key, (_, node) in b.entries.items() if isinstance(node, Scalar)} == {"p": "1", "q": "3"}
    assert tree.entries["c"][1] is tree.entries["a"][1]


def test_aliases_of_aliases_are_counted_as_often_as_they_are_used() -> None:
    names = "abcdefghij"
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{n}: &{n} [{','.join(['*' + b] * 10)}]" for b, n in pairwise(names)]
    assert "too many values" in fault("\n".join(lines))[1]


def test_an_alias_never_holds_itself() -> None:
    assert "names no &a before it" in fault("a: &a [*a]")[1]


def test_aliases_do_not_nest_deeper_than_brackets_may() -> None:
    lines = ["- &a0 [x]", *(f"- &a{i} [*a{i - 1}]" for i in range(1, 100))]
    assert "nested deeper than" in fault("\n".join(lines))[1]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_bounded(opening: str) -> None:
    assert "nested deeper than" in fault(opening * 100_000)[1]


def test_size_is_bounded() -> None:
    assert parsed("[1, 2, 3]", limit=4).documents
    assert parsed("[1, 2, 3]", limit=3).unreadable


@given(st.binary(max_size=200))
def test_any_bytes_come_to_documents_or_problems(data: bytes) -> None:
    found = parse(data, "s.yaml")
    assert not (found.unreadable and found.documents)


@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@ \n\t", max_size=60))
def test_any_text_comes_to_documents_or_problems(text: str) -> None:
    found = parse(text.encode(), "s.yaml")
    assert not (found.unreadable and found.documents)
