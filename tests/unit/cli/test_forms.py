"""`speakerd check` knows MetalLB's kinds in every form, and says what is wrong with those that are refused."""

import json
from pathlib import Path

import pytest

from speakerd.cli import main
from tests import forms
from tests.forms import Object, Wrong


def checked(objects: list[Object], folder: Path, capsys: pytest.CaptureFixture[str]) -> Object:
    where = folder / "objects.json"
    where.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    code = main(["check", "-f", str(where), "-o", "json"])
    found: Object = json.loads(capsys.readouterr().out)
    assert code == (0 if found["valid"] else 1)
    return found


@pytest.mark.parametrize("obj", forms.VALID.values(), ids=forms.VALID.keys())
def test_a_valid_form_is_valid(obj: Object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [each for each in checked([obj], tmp_path, capsys)["problems"] if each["severity"] == "error"] == []


@pytest.mark.parametrize("wrong", forms.INVALID.values(), ids=forms.INVALID.keys())
def test_an_invalid_form_is_refused_with_object_field_reason_and_remedy(
    wrong: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = checked([*wrong.beside, wrong.obj], tmp_path, capsys)
    errors = [each for each in found["problems"] if each["severity"] == "error"]
    assert wrong.reason in {each["reason"] for each in errors}
    assert not found["valid"]
    for each in errors:
        assert each["object"]
        assert each["message"]
        assert each["remedy"]


@pytest.mark.parametrize("wrong", [each for each in forms.INVALID.values() if each.beside])
def test_what_stands_beside_it_is_valid_without_it(
    wrong: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked([*wrong.beside], tmp_path, capsys)["valid"]
