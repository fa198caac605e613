"""Our HMAC is everybody's: what members sign today another version of us must read tomorrow."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.digest import BLOCK, Mac, same, sha256

VECTORS = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]
"""RFC 4231 sections 4.2, 4.3 and 4.7."""


@pytest.mark.parametrize(("key", "data", "tag"), VECTORS)
def test_hmac_is_that_of_the_rfc(key: bytes, data: bytes, tag: str) -> None:
    assert Mac(key).of(data).hex() == tag


@given(st.binary(max_size=3 * BLOCK), st.lists(st.binary(max_size=3 * BLOCK), max_size=3))
def test_hmac_and_hash_are_those_of_openssl_whatever_the_key_and_however_often(key: bytes, texts: list[bytes]) -> None:
    mac = Mac(key)
    for data in texts:
        assert mac.of(data) == hmac.digest(key, data, "sha256")
        assert sha256(data).digest() == hashlib.sha256(data).digest()


def test_what_is_the_same_is_found_to_be_so() -> None:
    assert same(b"abc", b"abc")
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"ab")
