"""Credentials that change on disk are found again, and those that stand for another file are told from it."""

import base64
import json
from pathlib import Path

import pytest

from speakerd.kube.credentials import COPY, OURS, CredentialsProblem, Hidden, copied_from, find, load, original
from speakerd.kube.kubeconfig import copied
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


def test_a_kubeconfig_that_was_replaced_is_found_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "config", "first")
    here = Rotation(str(path), tmp_path / "state", {})
    assert here.first().bearer() == "first"
    assert here.another() is None
    saved(path, "second")
    found = here.another()
    assert found is not None
    assert found.bearer() == "second"
    assert here.another() is None


def test_a_certificate_file_that_was_replaced_counts_as_the_kubeconfig_does(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("old")
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig({"certificate-authority": "ca.crt"})))
    here = Rotation(str(path), tmp_path / "state", {})
    here.first()
    (tmp_path / "ca.crt").write_text("newer")
    found = here.another()
    assert found is not None
    assert found.ca == "newer"


def test_a_file_touched_and_not_changed_changes_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "config", "same")
    here = Rotation(str(path), tmp_path / "state", {})
    here.first()
    saved(path, "same")
    assert here.another() is None


def test_a_file_that_cannot_be_used_is_told_once_and_the_next_one_taken(tmp_path: Path) -> None:
    path = saved(tmp_path / "config", "first")
    here = Rotation(str(path), tmp_path / "state", {})
    here.first()
    path.write_text("{")
    with pytest.raises(CredentialsProblem):
        here.another()
    assert here.another() is None
    saved(path, "second")
    found = here.another()
    assert found is not None
    assert found.bearer() == "second"


def test_ours_put_there_later_wins_over_the_copy(tmp_path: Path) -> None:
    copy_of(saved(tmp_path / "admin.conf", "theirs"), tmp_path)
    here = Rotation("auto", tmp_path, {})
    assert here.first().bearer() == "theirs"
    saved(tmp_path / OURS, "ours")
    found = here.another()
    assert found is not None
    assert found.bearer() == "ours"


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
