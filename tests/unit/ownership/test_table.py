"""The highest claim counts, equal tables have equal digests, and what is withdrawn is forgotten in the end."""

from hypothesis import given
from hypothesis import strategies as st

from speakerd.exchange import Claim
from speakerd.ownership.message import BUCKETS
from speakerd.ownership.table import KEPT, TOLD, Table, order

IP, OTHER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


def claim(ip: bytes = IP, epoch: int = 1, owner: str = "a", version: int = 0) -> Claim:
    return Claim(ip, epoch, owner, 0.0, "first", version=version, boot=7 if owner else 0)


def table(*claims: Claim) -> Table:
    made = Table()
    for each in claims:
        made.put(each, 0.0)
    return made


def test_epoch_orders_before_version() -> None:
    assert order(claim(epoch=2)) > order(claim(epoch=1, version=9)) > order(claim(epoch=1))


def test_the_highest_epoch_is_remembered_whoever_named_it() -> None:
    made = table(claim(epoch=3))
    made.saw(claim(epoch=9, owner="b"))
    assert made.highest(IP) == 9
    assert made.get(IP) == claim(epoch=3)


def test_addresses_are_found_by_owner_and_move_with_the_claim() -> None:
    made = table(claim(), claim(OTHER))
    made.put(claim(epoch=2, owner="b"), 0.0)
    assert made.owned["a"] == {OTHER}
    assert made.owned["b"] == {IP}


@given(st.permutations([claim(bytes((10, 0, 0, n)), n % 3 + 1, "abc"[n % 3]) for n in range(9)]))
def test_tables_with_the_same_claims_have_the_same_digest_in_whatever_order_they_came(claims: list[Claim]) -> None:
    made = table(*claims)
    assert made.digest == table(*sorted(claims, key=lambda each: each.ip)).digest
    assert not any(made.differing(made.digest))


def test_a_pull_of_what_differs_brings_the_claim_that_lacks() -> None:
    ours, theirs = table(claim(), claim(OTHER)), table(claim())
    wanted = theirs.differing(ours.digest)
    assert claim(OTHER) in list(ours.of_buckets(wanted))


def test_the_digest_of_an_empty_table_is_nothing_and_everything_differs_from_it_where_there_is_a_claim() -> None:
    assert Table().digest == b""
    assert sum(each.bit_count() for each in table(claim()).differing(b"")) == 1


def test_a_withdrawn_claim_is_told_for_a_while_kept_longer_and_then_forgotten() -> None:
    made = table(claim(epoch=2, owner=""))
    everything = b"\xff" * (BUCKETS // 8)
    assert list(made.of_buckets(everything))
    made.forget(TOLD)
    assert not list(made.of_buckets(everything))
    assert made.digest == b""
    assert made.get(IP)
    made.forget(KEPT)
    assert made.get(IP) is None
    assert made.highest(IP) == 0


def test_a_claim_after_a_withdrawn_one_is_not_forgotten_with_it() -> None:
    made = table(claim(epoch=2, owner=""))
    made.forget(TOLD)
    made.put(claim(epoch=3), TOLD)
    assert made.digest == table(claim(epoch=3)).digest
    made.forget(KEPT)
    assert made.get(IP) == claim(epoch=3)
