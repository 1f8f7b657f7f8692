"""Rules about times to live and about reads: what sets each off, and what does not."""

import pytest
from msgspec import structs

from dbvitals.analyse.key_tally import bucket_of
from dbvitals.expect import KeyFamily
from dbvitals.model import Confidence, Severity
from dbvitals.snapshot_keyspace import NeverRead, PatternLookups
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import found, snapshot, stats


def test_keys_without_ttl_are_wrong_where_the_family_expires_red002() -> None:
    seen = snapshot(stats("session:*", [-1] * 3 + [9_000]), stats("tenant:*", [-1] * 50))
    (finding,) = found("RED002", seen)
    assert (finding.subject.name, finding.severity) == ("session:*", Severity.HIGH)
    assert finding.message.startswith("3 keys without TTL")
    assert {evidence.name: evidence.value for evidence in finding.evidence} == {"keys": 3, "without TTL": 75.0}


def test_a_family_behind_a_tenant_is_held_to_the_same_red002() -> None:
    seen = snapshot(stats("*:session:*", [-1] * 3, family="session:*"))
    assert [finding.subject.name for finding in found("RED002", seen)] == ["*:session:*"]


def test_fields_that_expire_are_a_ttl_red002_trap_23() -> None:
    assert not found("RED002", snapshot(stats("session:*", [-1] * 80, no_ttl_asked=10, no_ttl_expiring=10)))
    (finding,) = found("RED002", snapshot(stats("session:*", [-1] * 80, no_ttl_asked=10, no_ttl_expiring=5)))
    assert (finding.evidence[0].value, finding.confidence) == (40, Confidence.ESTIMATE)


def test_a_ttl_beyond_the_declared_one_red004() -> None:
    (finding,) = found("RED004", snapshot(stats("availability:*", [100_000] * 20 + [9_000_000] * 2)))
    assert finding.message == "about 2 keys with up to 2 h to live, 30 min at most is declared"
    assert finding.action is not None
    assert "pms_cache.py" in finding.action.statement
    assert not found("RED004", snapshot(stats("availability:*", [1_800_000] * 20)))


def test_a_ttl_below_the_declared_one_needs_many_keys_red005() -> None:
    assert found("RED005", snapshot(stats("availability:*", [20_000] * 20)))
    assert not found("RED005", snapshot(stats("availability:*", [20_000] * 19)))
    assert not found("RED005", snapshot(stats("availability:*", [20_000] * 20 + [61_000])))


def test_a_lock_without_ttl_is_an_outage_red006_trap_25() -> None:
    (finding,) = found("RED006", snapshot(stats("lock:*", [5_000, -1])))
    assert finding.severity is Severity.CRITICAL
    assert not found("RED002", snapshot(stats("lock:*", [5_000, -1])))
    assert not found("RED006", snapshot(stats("lock:*", [5_000])))


def test_a_ttl_where_there_must_be_none_red007() -> None:
    families = (KeyFamily(pattern="config:*", description="settings", expires=False),)
    seen = snapshot(stats("config:*", [-1, 60_000], family="config:*"))
    assert [finding.message for finding in found("RED007", seen, families=families)] == [
        "1 key will expire in a family that must not"
    ]


def test_many_keys_that_expire_together_red015() -> None:
    together = [600_000 + number for number in range(10_000)]
    (finding,) = found("RED015", snapshot(stats("availability:*", together + list(range(1_000, 1_200_000, 500)))))
    assert finding.message.startswith("10,066 keys expire within about 33 s, in 10 min; 339 would if they were spread")
    assert not found("RED015", snapshot(stats("session:*", together)))


@pytest.mark.parametrize("first", [237_568, 240_000, 245_000, 245_260, 245_700, 245_760])
def test_a_stampede_is_seen_wherever_it_lies_red015(first: int) -> None:
    """Buckets of 8,192 ms begin at 237,568 and at 245,760."""
    together = [first + number // 2 for number in range(2_000)]
    (finding,) = found("RED015", snapshot(stats("availability:*", together)))
    evidence = {one.name: one.value for one in finding.evidence}
    span = 16.4 if first < 245_760 <= together[-1] else 8.2
    assert (evidence["keys"], evidence["span"]) == (2_000, span)
    assert evidence["expire at least"] == pytest.approx(2_000 / span, rel=0.01)
    assert f"2,000 keys expire within about {span:.0f} s, in 4 min" in finding.message


@pytest.mark.parametrize("ttls", [(245_760, 245_760), (245_759, 245_760)], ids=["one bucket", "two"])
def test_so_many_keys_are_a_stampede_and_one_less_are_none_red015(ttls: tuple[int, int]) -> None:
    together = [ttls[number % 2] for number in range(1_639)]  # 200 a second, for 8.192 s
    assert found("RED015", snapshot(stats("availability:*", together)))
    assert not found("RED015", snapshot(stats("availability:*", together[1:])))


def test_an_even_spread_is_no_stampede_red015() -> None:
    assert not found("RED015", snapshot(stats("availability:*", range(1, 600_000, 3))))
    # Next to one key that lives for long: a little less than `stampede_per_second`, twice that in two buckets.
    assert not found("RED015", snapshot(stats("availability:*", [*range(2_000, 122_000, 6), 1_790_000])))
    assert found("RED015", snapshot(stats("availability:*", [*range(2_000, 122_000, 4), 1_790_000])))


def test_a_single_key_of_a_sample_is_no_stampede_red015() -> None:
    sampled = snapshot(stats("availability:*", range(6_000, 1_800_000, 30_000)))
    coverage = structs.replace(sampled.coverage, mode="sample", keys_before=500_000)
    assert not found("RED015", structs.replace(sampled, coverage=coverage))
    together = snapshot(stats("availability:*", [*range(6_000, 1_800_000, 30_000), *range(250_000, 251_000, 50)]))
    assert found("RED015", structs.replace(together, coverage=coverage))


def test_undeclared_keys_without_ttl_grow_red020() -> None:
    assert found("RED020", snapshot(stats("junk:<n>", [-1] * 1_000)))
    assert not found("RED020", snapshot(stats("junk:<n>", [-1] * 999)))
    assert not found("RED020", snapshot(stats("tenant:*", [-1] * 5_000)))


def test_values_that_nobody_reads_red021() -> None:
    unread = NeverRead(pattern="pms_cache:*", judged=100, never_read=60)
    (finding,) = found("RED021", snapshot(stats("pms_cache:*", [9_000] * 100), never_read=(unread,)))
    assert finding.message.startswith("60 %")
    assert not found("RED021", snapshot(never_read=(structs.replace(unread, never_read=40),)))
    assert not found("RED021", snapshot(never_read=(structs.replace(unread, judged=10, never_read=10),)))
    assert found("RED021", snapshot(never_read=(structs.replace(unread, pattern="reports:<n>"),)))


@pytest.mark.parametrize("pattern", ["session:*", "rate_limit:*", "*:session:*"])
def test_only_what_is_cached_is_to_be_read_red021(pattern: str) -> None:
    assert not found("RED021", snapshot(never_read=(NeverRead(pattern=pattern, judged=100, never_read=100),)))


def test_a_family_that_is_looked_for_in_vain_red022() -> None:
    looks = PatternLookups(pattern="pms_cache:*", source="client", hits=60, misses=60, seconds=None)
    assert found("RED022", snapshot(lookups=(looks,)))[0].severity is Severity.MEDIUM
    assert found("RED022", snapshot(lookups=(structs.replace(looks, hits=40),)))[0].severity is Severity.HIGH
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, hits=600),)))
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, pattern="lock:*"),)))
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, hits=None, source="keymiss"),)))


def test_a_longer_ttl_where_many_come_too_late_red023() -> None:
    missed = MissesAfterExpiry(pattern="availability:*", misses=100, buckets={bucket_of(60_000): 100})
    keys = stats("availability:*", [300_000] * 30)
    (finding,) = found("RED023", snapshot(keys, after_expiry=(missed,)))
    assert "a TTL of 10 min would have caught" in finding.message
    assert not found(
        "RED023", snapshot(stats("lock:*", [9_000]), after_expiry=(structs.replace(missed, pattern="lock:*"),))
    )
