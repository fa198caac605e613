"""Credentials that another process has read are used as if they had been read here."""

import base64
import json
from pathlib import Path

import pytest

from speakerd.kube.credentials import COPY, CredentialsProblem, load
from speakerd.kube.handed import known, read
from speakerd.kube.kubeconfig import copied
from speakerd.kube.noted import NOTE, text
from speakerd.kube.rotation import Rotation
from tests.unit.kube.test_credentials import kubeconfig
from tests.unit.kube.test_rotation import PEM, saved, token_of


def handed(setting: str, state: Path) -> Rotation:
    """A rotation with what another process has read for it."""
    told = known(read(setting, str(state), {}))
    assert told
    return Rotation(setting, state, {}, told)


def test_what_another_process_read_is_used_once_and_changes_since_then_are_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "config", "first")
    here = handed(str(path), tmp_path)
    saved(path, "second")
    assert here.first().bearer() == "first"
    assert token_of(here.look(0.0)) == "second"


def test_what_another_process_read_and_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "config", "first")
    here = handed(str(path), tmp_path)
    here.first()
    assert (here.look(0.0), here.problem) == (None, None)


def test_what_another_process_read_and_tls_cannot_use_is_told_and_found_once_mended(tmp_path: Path) -> None:
    path = tmp_path / "config"
    inline = base64.b64encode(PEM.encode()).decode()
    path.write_text(json.dumps(kubeconfig({"certificate-authority-data": inline})))
    here = handed(str(path), tmp_path)
    for _ in range(2):
        with pytest.raises(CredentialsProblem, match="CA certificate"):
            here.first()
    saved(path, "mended")
    assert (here.first().bearer(), here.problem) == ("mended", None)


def test_why_root_could_not_copy_anew_is_told_beside_the_copy_that_another_process_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "admin.conf", "theirs")
    (tmp_path / COPY).write_text(json.dumps(copied(load([path], str(path)))))
    (tmp_path / NOTE).write_text(text(CredentialsProblem(str(path), "not YAML", "mend or replace the file")))
    here = handed("auto", tmp_path)
    assert here.first().bearer() == "theirs"
    assert here.problem
    assert here.problem.where == str(path)


def test_credentials_come_whole_from_the_process_that_read_them(tmp_path: Path) -> None:
    user = {"client-certificate-data": base64.b64encode(PEM.encode()).decode(), "token": "t"}
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig(user=user)))
    told = known(read(str(path), str(tmp_path), {}))
    assert told is not None
    assert told.credentials == load([path], str(path))
    assert told.credentials.certificate.reveal == PEM


def test_where_there_are_none_another_process_tells_nothing(tmp_path: Path) -> None:
    assert read(str(tmp_path / "none"), str(tmp_path), {}) == b""
    assert known(b"") is None
