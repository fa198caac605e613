"""Credentials that change on disk are found again, and those that stand for another file are told from it."""

import base64
import json
from pathlib import Path

import pytest

from speakerd.kube.credentials import (
    COPY,
    OURS,
    Credentials,
    CredentialsProblem,
    Hidden,
    copied_from,
    find,
    load,
    original,
)
from speakerd.kube.kubeconfig import copied
from speakerd.kube.noted import NOTE, text
from speakerd.kube.rotation import Rotation
from tests.unit.kube.test_credentials import kubeconfig

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def saved(path: Path, token: str) -> Path:
    """A kubeconfig, saved as careful programs do: another file takes the place of the old one."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(kubeconfig(user={"token": token})))
    return temporary.rename(path)


def copy_of(path: Path, state: Path) -> None:
    (state / COPY).write_text(json.dumps(copied(load([path], str(path)))))


def named(folder: Path, token: str) -> tuple[Path, Rotation]:
    """A kubeconfig, and the rotation that has begun with it."""
    path = saved(folder / "config", token)
    here = Rotation(str(path), folder / "state", {})
    assert here.first().bearer() == token
    return path, here


def assert_fine(here: Rotation) -> None:
    assert here.problem is None


def token_of(found: Credentials | None) -> str:
    return found.bearer() if found else ""


def test_a_kubeconfig_that_was_replaced_is_to_be_tried_until_it_is_taken(tmp_path: Path) -> None:
    path, here = named(tmp_path, "first")
    assert here.look(0.0) is None
    saved(path, "second")
    found = here.look(5.0)
    assert (token_of(found), token_of(here.look(10.0)), here.problem) == ("second", "second", None)
    assert found
    here.taken(found)
    assert here.look(15.0) is None


def test_credentials_that_the_api_server_refuses_are_told_and_tried_again_later_and_later(tmp_path: Path) -> None:
    path, here = named(tmp_path, "first")
    saved(path, "second")
    now, tried = 0.0, []
    for _ in range(100):
        now += 5.0
        if here.look(now):
            tried.append(now)
            here.refused(CredentialsProblem("config", "401 Unauthorized", "mend it"), now)
    assert tried[:6] == [5.0, 10.0, 20.0, 40.0, 70.0, 100.0]
    assert here.problem
    assert here.problem.what == "401 Unauthorized"


def test_what_was_refused_is_forgotten_once_the_file_says_something_else(tmp_path: Path) -> None:
    path, here = named(tmp_path, "first")
    saved(path, "second")
    here.look(0.0)
    here.refused(CredentialsProblem("config", "401 Unauthorized", "mend it"), 0.0)
    saved(path, "third")
    assert token_of(here.look(1.0)) == "third", "tried at once"
    assert_fine(here)
    here.refused(CredentialsProblem("config", "401 Unauthorized", "mend it"), 1.0)
    saved(path, "first")
    assert (here.look(100.0), here.problem) == (None, None), "it is what is in use"


def test_a_certificate_file_that_was_replaced_counts_as_the_kubeconfig_does(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("old")
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig({"server": "http://k", "certificate-authority": "ca.crt"})))
    here = Rotation(str(path), tmp_path / "state", {})
    here.first()
    (tmp_path / "ca.crt").write_text("newer")
    found = here.look(0.0)
    assert found is not None
    assert found.ca == "newer"


def test_a_file_touched_and_not_changed_changes_nothing(tmp_path: Path) -> None:
    path, here = named(tmp_path, "same")
    saved(path, "same")
    assert (here.look(0.0), here.problem) == (None, None)


def test_a_file_that_cannot_be_used_is_told_until_it_is_mended(tmp_path: Path) -> None:
    path, here = named(tmp_path, "first")
    path.write_text("{")
    for now in (0.0, 5.0):
        assert here.look(now) is None
        assert here.problem
        assert here.problem.where == str(path)
        assert here.problem.what.startswith("not YAML")
    saved(path, "first")
    assert here.look(10.0) is None
    assert_fine(here)
    path.unlink()
    assert here.look(15.0) is None
    assert "cannot be read" in str(here.problem)
    saved(path, "second")
    assert token_of(here.look(20.0)) == "second"
    assert_fine(here)


def test_a_file_that_a_new_kubeconfig_names_and_that_comes_later_is_found(tmp_path: Path) -> None:
    path, here = named(tmp_path, "first")
    path.write_text(json.dumps(kubeconfig(user={"tokenFile": "token"})))
    assert here.look(0.0) is None
    assert here.problem
    assert here.problem.where == str(tmp_path / "token")
    (tmp_path / "token").write_text("late")
    assert token_of(here.look(5.0)) == "late"
    assert_fine(here)


def test_why_root_could_not_copy_is_told_until_it_could(tmp_path: Path) -> None:
    path = saved(tmp_path / "admin.conf", "theirs")
    copy_of(path, tmp_path)
    here = Rotation("auto", tmp_path, {})
    here.first()
    (tmp_path / NOTE).write_text(text(CredentialsProblem(str(path), "not YAML", "mend or replace the file")))
    assert here.look(0.0) is None
    assert here.problem
    assert (here.problem.where, here.problem.remedy) == (str(path), "mend or replace the file")
    assert here.problem.what.startswith("not YAML")
    (tmp_path / NOTE).unlink()
    assert here.look(5.0) is None
    assert_fine(here)


def test_why_root_could_not_copy_is_told_in_place_of_what_the_agent_may_not_read(tmp_path: Path) -> None:
    here = Rotation(str(tmp_path / "admin.conf"), tmp_path, {})
    with pytest.raises(CredentialsProblem, match="cannot be read"):
        here.first()
    (tmp_path / NOTE).write_text(text(CredentialsProblem("admin.conf", "exec plugins are not supported", "no")))
    with pytest.raises(CredentialsProblem, match=r"admin\.conf: exec plugins are not supported"):
        here.first()
    saved(tmp_path / "admin.conf", "readable")
    assert (here.first().bearer(), here.problem) == ("readable", None)


def test_ours_put_there_later_wins_over_the_copy(tmp_path: Path) -> None:
    copy_of(saved(tmp_path / "admin.conf", "theirs"), tmp_path)
    here = Rotation("auto", tmp_path, {})
    assert here.first().bearer() == "theirs"
    saved(tmp_path / OURS, "ours")
    assert token_of(here.look(0.0)) == "ours"


def test_a_copy_says_where_it_is_from(tmp_path: Path) -> None:
    path = saved(tmp_path / "admin.conf", "theirs")
    copy_of(path, tmp_path)
    assert find("auto", tmp_path, {}).source == f"{path}, copied to {tmp_path / COPY}"
    assert copied_from(tmp_path / COPY) == str(path)
    assert copied_from(path) == ""


def test_a_copy_stands_for_the_file_that_is_named_where_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "admin.conf", "theirs")
    copy_of(path, tmp_path)
    saved(path, "newer")
    assert find(str(path), tmp_path, {}).bearer() == "newer"
    path.unlink()
    assert find(str(path), tmp_path, {}).bearer() == "theirs"
    with pytest.raises(CredentialsProblem):
        find(str(tmp_path / "another.conf"), tmp_path, {})


def test_a_copy_has_all_that_the_original_names(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (tmp_path / name).write_text(f"in {name}")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    cluster = {"server": "https://[fd00::1]:6443/api", "certificate-authority": "ca.crt", "tls-server-name": "kube"}
    path, other = tmp_path / "config", tmp_path / "other"
    path.write_text(json.dumps(kubeconfig(cluster, user)))
    other.write_text(json.dumps(copied(load([path], "x"))))
    found, again = load([path], "x"), load([other], "x")
    for name in ("server", "ca", "certificate", "key", "server_name", "verify", "prefix", "host", "port"):
        assert getattr(found, name) == getattr(again, name), name
    assert again.bearer() == "in token"
    assert base64.b64encode(b"in me.key").decode() in other.read_text()


def test_what_is_in_the_state_folder_already_is_not_copied(tmp_path: Path) -> None:
    saved(tmp_path / OURS, "ours")
    environ = {"KUBECONFIG": str(saved(tmp_path / "other", "theirs"))}
    assert original("auto", tmp_path, environ) is None
    assert original(str(tmp_path / OURS), tmp_path, {}) is None
    (tmp_path / OURS).unlink()
    found = original("auto", tmp_path, environ)
    assert found is not None
    assert found.bearer() == "theirs"


def test_secrets_are_compared_by_what_they_hide() -> None:
    assert Hidden("a") == Hidden("a")
    assert Hidden("a") != Hidden("b")
    assert Hidden("a") != "a"
