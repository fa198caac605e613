"""A gate in the API server: an admission webhook that holds the creation of addresses' Leases until it is opened.

It makes "between decision and write" a moment that a test can stay in: the allocator has decided, its first write is at
the API server, and the next one cannot have left.
"""

import http.server
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.kube.controlplane import ControlPlane
from tests.lab.net import Lan, inside
from tests.lab.objects import Object, meta, path
from tests.lab.waiting import eventually

PORT = 8443
NAME = "gate.speakerd.test"
HELD = 20.0
"""Seconds after which a request is let through by itself; the API server would give up after 30."""


class Gate:
    """Open at first. `held`: set while a request waits at the closed gate."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.held = threading.Event()
        self.reviews = 0

    def close(self) -> None:
        """From now on Leases of addresses wait."""
        self.held.clear()
        self._open.clear()

    def open(self) -> None:
        """Let those through that wait, and all to come."""
        self._open.set()

    def review(self, review: Object) -> Object:
        """The answer to an AdmissionReview, once the gate is open."""
        self.reviews += 1
        if not self._open.is_set():
            self.held.set()
            self._open.wait(HELD)
        response = {"uid": review["request"]["uid"], "allowed": True}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


@contextmanager
def gate(lan: Lan, plane: ControlPlane) -> Iterator[Gate]:
    """A gate at work for as long as the block lasts."""
    found = Gate()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps(found.review(json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class' name
            """Nothing: the test says what happened."""

    with inside(lan.server.namespace):
        server = http.server.ThreadingHTTPServer((lan.server.ipv4, PORT), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.pki.certificate, plane.pki.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="gate", daemon=True)
    thread.start()
    plane.cluster.create(_configuration(f"https://{lan.server.ipv4}:{PORT}/", plane))
    try:
        eventually(partial(_at_work, plane, found), "the API server asks the webhook")
        yield found
    finally:
        found.open()
        plane.cluster.delete("ValidatingWebhookConfiguration", NAME)
        server.shutdown()
        thread.join()
        server.server_close()


def _configuration(url: str, plane: ControlPlane) -> Object:
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["leases"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": meta(NAME),
        "webhooks": [
            {
                "name": NAME,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 30,
                "clientConfig": {"url": url, "caBundle": b64encode(plane.pki.ca.read_bytes()).decode()},
                "rules": [rule],
                "matchConditions": [
                    {"name": "an-address", "expression": "object.metadata.name.startsWith('speakerd-vip-')"}
                ],
            }
        ],
    }


def _at_work(plane: ControlPlane, found: Gate) -> bool:
    """Whether reviews come: the API server takes a moment to hear of a new webhook."""
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta("speakerd-vip-0", "default")}
    plane.cluster.request("POST", path("Lease", "default") + "?dryRun=All", lease)
    return found.reviews > 0
