"""Credentials as a kubeconfig of their own, with all that was in other files; pure."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from speakerd.kube.credentials import COPIED, Credentials

NAME = "speakerd"


def copied(found: Credentials) -> dict[str, Any]:
    """The file, which tells where it is from; a token is the one that is valid now."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": _cluster(found)}],
        "users": [{"name": NAME, "user": _user(found)}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "extensions": [{"name": COPIED, "extension": {"original": found.source}}],
    }


def _cluster(found: Credentials) -> Mapping[str, object]:
    entries = {
        "server": found.server,
        "certificate-authority-data": _base64(found.ca),
        "tls-server-name": found.server_name,
        "insecure-skip-tls-verify": not found.verify,
    }
    return {name: value for name, value in entries.items() if value}


def _user(found: Credentials) -> Mapping[str, object]:
    entries = {
        "client-certificate-data": _base64(found.certificate.reveal),
        "client-key-data": _base64(found.key.reveal),
        "token": found.bearer(),
    }
    return {name: value for name, value in entries.items() if value}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
