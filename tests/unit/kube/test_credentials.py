"""Kubeconfigs of every make are understood, or say what is wrong and what to do."""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.kube.credentials import Credentials, CredentialsProblem, Hidden, find, in_cluster, load
from speakerd.kube.tls import context

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def kubeconfig(cluster: Mapping[str, object] | None = None, user: Mapping[str, object] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"} | dict(cluster or {})}],
        "users": [{"name": "u", "user": dict(user or {})}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }


def loaded(tmp_path: Path, content: object) -> Credentials:
    path = tmp_path / "config"
    path.write_text(json.dumps(content))
    return load([path], "the test")


def problem(tmp_path: Path, content: object) -> str:
    with pytest.raises(CredentialsProblem) as caught:
        loaded(tmp_path, content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("server", "host", "port", "prefix", "tls"),
    [
        ("https://10.0.0.1:6443", "10.0.0.1", 6443, "", True),
        ("https://[fd00::1]:6443/", "fd00::1", 6443, "", True),
        ("https://kube.test", "kube.test", 443, "", True),
        ("https://rancher.test/k8s/clusters/c-1/", "rancher.test", 443, "/k8s/clusters/c-1", True),
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, "", False),
    ],
)
def test_a_server_url_is_taken_apart(tmp_path: Path, server: str, host: str, port: int, prefix: str, tls: bool) -> None:
    found = loaded(tmp_path, kubeconfig({"server": server}))
    assert (found.host, found.port, found.prefix, found.tls) == (host, port, prefix, tls)


@pytest.mark.parametrize("server", ["", "10.0.0.1:6443", "ftp://x", "https://", "https://x:port", "https://[x"])
def test_a_server_that_is_no_url_is_a_problem(tmp_path: Path, server: str) -> None:
    assert "is no URL" in problem(tmp_path, kubeconfig({"server": server}))


def test_inline_data_goes_before_files(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("from the file")
    inline = base64.b64encode(PEM.encode()).decode()
    found = loaded(tmp_path, kubeconfig({"certificate-authority-data": inline, "certificate-authority": "ca.crt"}))
    assert found.ca == PEM


def test_files_are_relative_to_the_kubeconfig_that_names_them(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key"):
        (tmp_path / name).write_text(f"in {name}")
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    found = loaded(tmp_path, kubeconfig({"certificate-authority": "ca.crt"}, user))
    assert (found.ca, found.certificate.reveal, found.key.reveal) == ("in ca.crt", "in me.crt", "in me.key")


def test_a_token_file_is_read_anew_for_each_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    found = loaded(tmp_path, kubeconfig(user={"tokenFile": "token", "token": "fallback"}))
    assert found.bearer() == "first"
    token.write_text("second\n")
    assert found.bearer() == "second"
    token.unlink()
    assert found.bearer() == "fallback"


def test_several_files_are_one_configuration_and_the_first_to_name_a_thing_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    one, two = kubeconfig({"server": "https://one:1"}), kubeconfig({"server": "https://two:2"}, {"token": "t"})
    del one["users"]
    first.write_text(json.dumps(one))
    second.write_text(json.dumps(two))
    found = load([first, tmp_path / "missing", second], "the test")
    assert (found.host, found.token.reveal) == ("one", "t")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (kubeconfig() | {"current-context": ""}, "no current-context"),
        (kubeconfig() | {"current-context": "there"}, "contexts has no 'there' (it has: here)"),
        (kubeconfig() | {"users": None}, "users has no 'u'"),
        (kubeconfig() | {"clusters": {"c": 1}}, "clusters has no 'c'"),
        (kubeconfig() | {"clusters": [7, {"name": "c", "cluster": "x"}]}, "clusters has no 'c'"),
        (kubeconfig({"proxy-url": "http://p"}), "proxy-url"),
        (kubeconfig(user={"exec": {"command": "x"}}), "plugins"),
        (kubeconfig({"certificate-authority": "missing.crt"}), "cannot be read"),
        (kubeconfig({"certificate-authority-data": "####"}), "base64"),
        ([1, 2], "not a kubeconfig"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, content: object, what: str) -> None:
    assert what in problem(tmp_path, content)


@given(st.binary(max_size=300))
def test_no_bytes_in_a_kubeconfig_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk"
    path.write_bytes(data)
    with pytest.raises(CredentialsProblem):
        load([path], "the test")


def test_a_file_that_is_too_large_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(CredentialsProblem, match="over 1 MiB"):
        load([path], "the test")


def test_auto_takes_ours_before_the_environment(tmp_path: Path) -> None:
    for name, token in (("kubeconfig", "ours"), ("other", "theirs")):
        (tmp_path / name).write_text(json.dumps(kubeconfig(user={"token": token})))
    environ = {"KUBECONFIG": str(tmp_path / "other")}
    assert find("auto", tmp_path, environ).token.reveal == "ours"
    assert find("auto", tmp_path / "elsewhere", environ).token.reveal == "theirs"
    assert find(str(tmp_path / "other"), tmp_path, {}).token.reveal == "theirs"


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    (tmp_path / "token").write_text("t")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    found = in_cluster(environ, tmp_path)
    assert (found.server, found.bearer(), found.ca) == ("https://[fd00::1]:6443", "t", PEM)
    with pytest.raises(CredentialsProblem):
        in_cluster(environ | {"KUBERNETES_SERVICE_PORT": "x"}, tmp_path)


def test_a_ca_that_is_no_certificate_is_a_problem(tmp_path: Path) -> None:
    inline = base64.b64encode(PEM.encode()).decode()
    with pytest.raises(CredentialsProblem, match="CA certificate"):
        context(loaded(tmp_path, kubeconfig({"certificate-authority-data": inline})))


def test_a_client_certificate_without_its_key_is_a_problem(tmp_path: Path) -> None:
    user = {"client-certificate-data": base64.b64encode(PEM.encode()).decode()}
    with pytest.raises(CredentialsProblem, match="client certificate"):
        context(loaded(tmp_path, kubeconfig({"insecure-skip-tls-verify": True}, user)))


def test_who_skips_verification_gets_what_they_asked_for_and_nobody_else(tmp_path: Path) -> None:
    skipped = context(loaded(tmp_path, kubeconfig({"insecure-skip-tls-verify": True})))
    verified = context(loaded(tmp_path, kubeconfig()))
    assert skipped is not None
    assert verified is not None
    assert (skipped.verify_mode, verified.verify_mode) == (ssl.CERT_NONE, ssl.CERT_REQUIRED)
    assert context(loaded(tmp_path, kubeconfig({"server": "http://127.0.0.1"}))) is None


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    found = loaded(tmp_path, kubeconfig(user={"token": "very-secret"}))
    assert "very-secret" not in f"{found!r}{found}{found.token}"
    assert not Hidden()
