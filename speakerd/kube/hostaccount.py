"""A token of the agent's service account for one host, that can be revoked for that host alone; for commands."""

import asyncio
import re
from base64 import b64decode
from typing import Any

import msgspec

from speakerd.kube import body
from speakerd.kube.client import Client, Response
from speakerd.kube.copying import CONFLICT, CREATED, OK, Refused
from speakerd.kube.objects import Secret

ACCOUNT = "speakerd"
TYPE = "kubernetes.io/service-account-token"
PATIENCE, AGAIN = 10.0, 0.2
"""Seconds that the cluster has to fill a Secret with its token; between two looks."""
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""RFC 1123 subdomain, as host and Secret are called."""


def secret_name(host: str) -> str:
    """The Secret that holds the token of `host`: deleting it ends the host's access."""
    return f"{ACCOUNT}-{host}"


async def kubeconfig(client: Client, server: str, namespace: str, host: str) -> dict[str, Any]:
    """A kubeconfig for `host`. Raises Unreachable, or Refused where no token is to be had."""
    path = f"{body.secrets(namespace)}/{secret_name(host)}"
    answer = await client.request("POST", body.secrets(namespace), _secret(namespace, host))
    if answer.status not in (CREATED, CONFLICT):
        raise Refused(f"Secret {secret_name(host)}: {answer.reason}")
    async with asyncio.timeout(PATIENCE):
        while not (data := _filled(await client.request("GET", path))):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(AGAIN)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": host,
        "clusters": [{"name": host, "cluster": {"server": server, "certificate-authority-data": data["ca.crt"]}}],
        "users": [{"name": host, "user": {"token": b64decode(data["token"]).decode()}}],
        "contexts": [{"name": host, "context": {"cluster": host, "user": host}}],
    }


def _secret(namespace: str, host: str) -> bytes:
    metadata = {
        "name": secret_name(host),
        "namespace": namespace,
        "annotations": {"kubernetes.io/service-account.name": ACCOUNT},
    }
    return body.encode({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": TYPE})


def _filled(answer: Response) -> dict[str, str]:
    """The entries, once the cluster has put the token there."""
    if answer.status != OK:
        raise Refused(f"Secret: {answer.reason}")
    found = msgspec.json.decode(answer.body, type=Secret).data
    return found if "token" in found and "ca.crt" in found else {}
