"""Keys are what RFC 5869 makes of the secret, and a change of the secret cuts nobody off."""

import pytest

from speakerd.exchange import Key, Member
from speakerd.membership.keys import Keyring, Signer, expand, extract, key_id
from tests.unit.membership.mesh_keys import NEW, OLD, member

DATA = b"what is signed"


# RFC 5869 appendix A.1 to A.3: material, salt, info, pseudorandom key, output.
@pytest.mark.parametrize(
    ("material", "salt", "info", "key", "output"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_derivation_is_that_of_rfc_5869(material: bytes, salt: bytes, info: bytes, key: str, output: str) -> None:
    assert extract(salt, material).hex() == key
    assert expand(bytes.fromhex(key), info, len(output) // 2).hex() == output


@pytest.mark.parametrize("material", [b"", b"\n", b"a\nb\n", bytes(range(256)), b"x" * 100_000])
def test_any_secret_gives_a_key_with_a_short_name_that_is_no_part_of_it(material: bytes) -> None:
    name = key_id(material)
    assert name == key_id(material)
    assert len(bytes.fromhex(name)) == 4
    signer = Signer(Key(name, material))
    assert signer.signed(DATA, signer.tag(DATA))
    assert not signer.tag(b"").startswith(signer.id)


def test_a_newline_at_its_end_makes_another_secret() -> None:
    assert key_id(b"secret") != key_id(b"secret\n")


@pytest.mark.parametrize("bit", range(0, 128, 7))
def test_a_signature_with_one_bit_changed_is_refused(bit: int) -> None:
    signer = Signer(NEW)
    tag = signer.tag(DATA)
    damaged = int.from_bytes(tag) ^ 1 << bit
    assert not signer.signed(DATA, damaged.to_bytes(16))
    assert not signer.signed(DATA, tag[:-1])
    assert not signer.signed(DATA + b"!", tag)


def names(ring: Keyring, receiver: str) -> list[str]:
    return [each.name for each in ring.signers(receiver)]


def believed(ring: Keyring) -> set[str]:
    return {key.id for key in (NEW, OLD) if ring.named(bytes.fromhex(key.id))}


def test_without_a_key_nothing_is_signed_and_nothing_believed() -> None:
    ring = Keyring((), [member("a")])
    assert not ring
    assert not ring.signers("a")
    assert not ring.signers("")
    assert not believed(ring)


def test_a_message_is_signed_with_the_newest_key_its_receiver_reports() -> None:
    ring = Keyring((NEW, OLD), [member("a", NEW, OLD), member("b", OLD)])
    assert names(ring, "a") == [NEW.id]
    assert names(ring, "b") == [OLD.id]


def test_a_message_for_all_is_signed_with_each_key_in_turn() -> None:
    assert names(Keyring((NEW, OLD), [member("a", NEW, OLD), member("b", OLD)]), "") == [NEW.id, OLD.id]


@pytest.mark.parametrize("record", [member("a"), member("b", NEW), member("a", Key("deadbeef", b""))])
def test_who_reports_no_key_of_ours_gets_messages_under_each(record: Member) -> None:
    assert names(Keyring((NEW, OLD), [record, member("c", OLD)]), "a") == [NEW.id, OLD.id]


def test_the_older_key_is_believed_until_every_record_reports_the_newer() -> None:
    before = Keyring((NEW, OLD), [member("a", NEW, OLD), member("b", OLD)])
    after = Keyring((NEW, OLD), [member("a", NEW, OLD), member("b", NEW, OLD)])
    assert believed(before) == {NEW.id, OLD.id}
    assert believed(after) == {NEW.id}
    assert names(after, "") == [NEW.id]


def test_without_records_both_keys_stay_in_use() -> None:
    assert believed(Keyring((NEW, OLD))) == {NEW.id, OLD.id}


def test_a_third_key_is_not_looked_at() -> None:
    third = Key(key_id(b"third"), b"third")
    ring = Keyring((third, NEW, OLD), [member("a", OLD)])
    assert believed(ring) == {NEW.id}


def test_who_was_heard_with_the_newest_key_gets_it_whatever_its_record_says() -> None:
    ring = Keyring((NEW, OLD), [member("a", OLD), member("b", OLD)])
    ring.heard("a", bytes.fromhex(NEW.id))
    ring.heard("b", bytes.fromhex(OLD.id))
    ring.heard("stranger", bytes.fromhex(NEW.id))
    assert [names(ring, each) for each in ("a", "b", "stranger")] == [[NEW.id], [OLD.id], [NEW.id, OLD.id]]


def test_neither_of_two_nodes_is_cut_off_while_one_sees_no_more_records_change() -> None:
    """One has read that all know the newer key, and believes it alone; the other still thinks that nobody does."""
    ahead = Keyring((NEW, OLD), [member("ahead", NEW, OLD), member("behind", NEW, OLD)])
    behind = Keyring((NEW, OLD), [member("ahead", OLD), member("behind", OLD)])
    (first,) = ahead.signers("behind")
    assert behind.named(first.id)
    behind.heard("ahead", first.id)
    (answer,) = behind.signers("ahead")
    assert ahead.named(answer.id)
