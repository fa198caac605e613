"""Passwords of BGP sessions come from the Secrets that peers name, and are shown to nobody."""

import asyncio
from base64 import b64encode

import msgspec
import pytest

from speakerd.config import secrets
from speakerd.config.resources import Metadata
from speakerd.kube.client import Response
from speakerd.kube.objects import Secret
from speakerd.kube.passwords import Passwords, password_in
from speakerd.peering import Password
from tests.unit.kube.served import News, served

BASIC = "kubernetes.io/basic-auth"


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def secret(data: dict[str, str], type_: str = BASIC) -> Secret:
    return Secret(Metadata("tor", "ns"), type_, data)


def listed(*found: Secret) -> Response:
    items = [msgspec.to_builtins(each) for each in found]
    return Response(200, msgspec.json.encode({"metadata": {"resourceVersion": "5"}, "items": items}))


def watching(*names: str, known: dict[str, Password] | None = None) -> Passwords:
    found = Passwords("ns", known or {}, lambda: None)
    found.want(names)
    return found


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        (None, secrets.MISSING),
        (secret({"password": encoded("x")}, "Opaque"), "is of type Opaque"),
        (secret({}), "has no key password"),
        (secret({"password": "?"}), "is no base64"),
        (secret({"password": ""}), "has an empty password"),
        (secret({"password": encoded("x" * 81)}), "of 81 octets, over 80"),
    ],
)
def test_a_secret_that_holds_no_password_says_why(held: Secret | None, fault: str) -> None:
    assert fault in str(password_in(held))


def test_the_longest_password_is_taken_octet_for_octet() -> None:
    assert password_in(secret({"password": encoded("x" * 79 + "\n")})) == Password(b"x" * 79 + b"\n")


def test_a_secret_is_asked_for_by_its_name_alone() -> None:
    (watched,) = watching("tor")._watched.values()
    assert watched.kind.fields == "metadata.name=tor"
    assert watched.kind.path == "/api/v1/namespaces/ns/secrets"


def test_a_password_is_known_once_its_secret_was_read_and_stays_one_object() -> None:
    found = watching("tor", "spine")
    assert found.value() == ({}, {})
    for name, each in found._watched.items():
        each.page(listed(secret({"password": encoded("hunter2")})) if name == "tor" else listed())
    passwords, faults = found.value()
    assert (passwords, faults) == ({"tor": Password(b"hunter2")}, {"tor": "", "spine": secrets.MISSING})
    assert "hunter2" not in repr(passwords)
    again = found.value()
    assert again[0] is passwords
    assert again[1] is faults


def test_what_an_earlier_process_knew_counts_until_the_secret_was_read() -> None:
    found = watching("tor", "other", known={"tor": Password(b"old"), "gone": Password(b"x")})
    assert found.value() == ({"tor": Password(b"old")}, {})
    found._watched["tor"].page(listed())
    assert found.value() == ({}, {"tor": secrets.MISSING})


def test_a_secret_that_no_peer_names_any_more_is_forgotten_and_read_anew_when_one_does() -> None:
    found = watching("tor")
    found._watched["tor"].page(listed(secret({"password": encoded("x")})))
    found.want([])
    assert found.value() == ({}, {})
    found.want(["tor"])
    assert found.value() == ({}, {})


def test_a_secret_that_may_not_be_read_is_told_and_what_was_known_stays() -> None:
    found = watching("tor", known={"tor": Password(b"old")})
    found._watched["tor"].page(Response(403, b'{"reason":"Forbidden","message":"secrets is forbidden"}'))
    assert found.failing == {"Secret tor": "403 Forbidden: secrets is forbidden"}
    assert found.value()[0] == {"tor": Password(b"old")}


def test_secrets_are_followed_while_peers_name_them() -> None:
    async def scene() -> None:
        async with served() as here:
            news = News()
            found = Passwords("default", {}, news)
            task = asyncio.create_task(found.run(here.client))
            try:
                found.want(["tor"])
                await news.until(lambda: found.value()[1] == {"tor": secrets.MISSING})
                body = {"type": BASIC, "data": {"password": encoded("one")}}
                await here.create("/api/v1/namespaces/default/secrets", "tor", body)
                await news.until(lambda: found.value()[0] == {"tor": Password(b"one")})
                found.want([])
                found.want(["tor"])
                await news.until(lambda: found.value()[0] == {"tor": Password(b"one")})
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
