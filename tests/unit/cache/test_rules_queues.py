"""Advice that depends on what the keys are for: queues, state, tenants; and reads that cannot be seen."""

import pytest
from msgspec import structs

from app.expectations import FAMILIES
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import bucket_of
from dbvitals.analyse.never_read import KeyAge, never_read
from dbvitals.expect import KeyFamily
from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import NeverRead, TenantMemory
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import found, snapshot, stats

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("list", Severity.INFO),
        ("stream", Severity.INFO),
        ("zset", Severity.INFO),
        ("hash", Severity.MEDIUM),
        ("string", Severity.MEDIUM),
    ],
)
def test_what_waits_in_a_queue_need_not_expire_red020(kind: str, severity: Severity) -> None:
    seen = snapshot(stats("queue:mail:<n>", [-1] * 1_500, types_known=100, types={kind: 100}))
    (finding,) = found("RED020", seen)
    assert finding.severity is severity
    assert finding.action is not None
    assert ("write them with a TTL" in finding.action.summary) == (severity is Severity.MEDIUM)
    assert (f"of type {kind}" in finding.message) == (severity is Severity.INFO)


def test_the_line_that_declares_a_queue_finds_nothing_in_it_red020_red002() -> None:
    queues = stats("queue:mail:<n>", [-1] * 1_500, types_known=100, types={"list": 100})
    (finding,) = found("RED020", snapshot(queues))
    assert finding.action is not None
    declared = eval(finding.action.statement, {"KeyFamily": KeyFamily})  # noqa: S307 - the line that a reader copies
    as_declared = snapshot(structs.replace(queues, pattern=declared.pattern, family=declared.pattern))
    for rule in ("RED002", "RED007", "RED020"):
        assert not found(rule, as_declared, families=(declared,))


def test_state_that_nobody_uses_at_night_is_worth_a_word_only_red005() -> None:
    (idle,) = found("RED005", snapshot(stats("session:*", range(100_000, 340_000, 9_600))))
    assert idle.severity is Severity.INFO
    (cached,) = found("RED005", snapshot(stats("availability:*", [20_000] * 25)))
    assert cached.severity is Severity.MEDIUM
    assert cached.action is not None
    assert "unless that is set and nobody uses these keys now" in cached.action.summary


def test_looks_that_come_at_once_after_the_expiry_are_no_reason_to_wait_longer_red023() -> None:
    keys = stats("availability:*", [599_000] * 30)
    soon = MissesAfterExpiry(pattern="availability:*", misses=200, buckets={bucket_of(400): 200})
    assert not found("RED023", snapshot(keys, after_expiry=(soon,)))
    late = structs.replace(soon, buckets={bucket_of(120_000): 200})
    (finding,) = found("RED023", snapshot(keys, after_expiry=(late,)))
    assert {one.name: one.value for one in finding.evidence}["longest TTL left"] == 599


def test_a_read_soon_after_the_write_cannot_be_seen_and_is_not_denied_red021() -> None:
    read_once = [KeyAge(pattern="availability:*", idle=10.8, left=588.0) for _ in range(50)]
    (judged,) = never_read([*read_once, KeyAge(pattern="availability:*", idle=12.0, left=588.0)])
    assert judged.never_read == 51
    seen = snapshot(stats("availability:*", [588_000] * 51), never_read=(judged,))
    (finding,) = found("RED021", seen)
    assert finding.message == "100 % of its keys were not read later than 3 s after they were written"
    assert finding.severity is Severity.INFO


def test_the_tolerance_is_that_of_the_words_red021() -> None:
    ages = [KeyAge(pattern="a", idle=600.0 - 588.0 - late, left=588.0) for late in [0.0] * 30 + [3.5] * 20]
    assert never_read(ages) == (NeverRead(pattern="a", judged=50, never_read=30),)


def shares(*memory_bytes: int) -> tuple[TenantMemory, ...]:
    return tuple(TenantMemory(tenant=str(number), keys=9, memory_bytes=one) for number, one in enumerate(memory_bytes))


@pytest.mark.parametrize(
    ("memory_bytes", "is_found"),
    [
        ((7 * MIB, 3 * MIB), False),
        ((8 * MIB, 2 * MIB), True),
        ((5 * MIB, 3 * MIB, 2 * MIB), True),
        ((4 * MIB - 1, 1, 1), False),
        ((4 * MIB, 1, 1), True),
    ],
    ids=["less than 1.5 of 2", "1.5 of 2", "half of 3", "too little", "enough"],
)
def test_a_tenant_has_more_than_the_others_would_and_some_memory_red012(
    memory_bytes: tuple[int, ...], is_found: bool
) -> None:
    keys = stats("session:*", [9_000] * 10, memory_bytes=sum(memory_bytes) // 10)
    assert bool(found("RED012", snapshot(keys, tenants=shares(*memory_bytes)))) == is_found


def test_three_sessions_of_two_hotels_are_nobodys_fault_red012() -> None:
    assert not found("RED012", snapshot(stats("session:*", [9_000] * 3, memory_bytes=88), tenants=shares(176, 88)))


@pytest.mark.parametrize(
    ("key", "tenant"),
    [
        (b"hotel0:session:8f14e45f-ceea-467f-9575-1c1b4d2a4d1e", b"hotel0"),
        (b"{hotel0}:session:1", b"hotel0"),
        (b"{hotel0:session:1}", b"hotel0"),
        (b"eu:hotel0:session:1", b"hotel0"),
        (b"prod:session:hotel7:1", b"hotel7"),
        (b"session:hotel7:1", b"hotel7"),
        (b"{}:session:1", None),
        (b"hotel0:lock:1", None),
    ],
)
def test_behind_other_parts_the_last_of_these_is_the_tenant_trap_18(key: bytes, tenant: bytes | None) -> None:
    assert Folding(FAMILIES).tenant_of(key, Folding(FAMILIES).pattern_of(key)) == tenant
