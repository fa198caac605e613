"""The file of events outlives the process, a crash in the middle of a line, and a disk that refuses."""

from pathlib import Path

from speakerd import diary
from speakerd.diary import NAME, OLDER, Diary
from speakerd.events import Event, said


def some(count: int, detail: str = "") -> list[Event]:
    return [said("node.drained", float(number), detail=detail) for number in range(count)]


def test_the_next_life_knows_what_the_last_one_wrote_and_numbers_on(tmp_path: Path) -> None:
    kept = Diary(tmp_path).add(some(3))
    assert [each.number for each in kept] == [1, 2, 3]
    after = Diary(tmp_path)
    assert after.ring.told().events == kept
    assert [each.number for each in after.add(some(1))] == [4]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Diary(tmp_path).add(some(1))
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_while_nothing_happens(tmp_path: Path) -> None:
    Diary(tmp_path).add([])
    assert list(tmp_path.iterdir()) == []


def test_a_line_cut_by_a_crash_costs_that_line_alone(tmp_path: Path) -> None:
    first = Diary(tmp_path).add(some(2))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-9])
    second = Diary(tmp_path).add(some(1))
    assert Diary(tmp_path).ring.told().events == [first[0], *second]


def test_files_stay_small_and_enough_is_kept(tmp_path: Path) -> None:
    writer = Diary(tmp_path)
    for _ in range(20):
        writer.add(some(1000, "x" * 150))
    sizes = [(tmp_path / name).stat().st_size for name in (NAME, OLDER) if (tmp_path / name).exists()]
    assert sum(sizes) < 3 * diary.FILE_BYTES
    assert len(Diary(tmp_path).ring.told().events) > 3000
    assert Diary(tmp_path).ring.last == 20_000


def test_what_cannot_be_written_is_remembered_and_the_problem_told_until_it_is_over(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    writer = Diary(folder)
    assert len(writer.add(some(2))) == 2
    assert "No such file" in writer.problem
    assert writer.ring.last == 2
    folder.mkdir()
    writer.add(some(1))
    assert writer.problem == ""


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    writer = Diary(tmp_path)
    writer.add(some(1))
    assert writer.problem
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_file_of_nonsense_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\x00\xff" * 5000)
    writer = Diary(tmp_path)
    assert writer.ring.last == 0
    kept = writer.add(some(1))
    assert Diary(tmp_path).ring.told().events == kept
