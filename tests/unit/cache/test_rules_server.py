"""Rules about the server as a whole, and recommendations: what sets each off, and what does not."""

import pytest
from msgspec import structs

from dbvitals.expect import KeyFamily
from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import DatabaseInfo
from tests.unit.cache.builders import counters, found, node, report, snapshot, stats

MIB = 1024 * 1024


def test_a_low_hit_ratio_is_said_once_it_is_sure_red001() -> None:
    assert found("RED001", snapshot(before=(counters(hits=600, misses=400),)))[0].severity is Severity.MEDIUM
    assert found("RED001", snapshot(before=(counters(hits=400, misses=600),)))[0].severity is Severity.HIGH
    assert not found("RED001", snapshot(before=(counters(hits=800, misses=200),)))
    assert not found("RED001", snapshot(before=(counters(hits=30, misses=50),)))
    assert not found("RED001", snapshot(before=(counters(hits=68, misses=32),)))
    assert not found("RED001", snapshot(before=(counters(),)))


def test_the_guides_warning_names_locks_where_there_are_some_red001() -> None:
    (finding,) = found("RED001", snapshot(before=(counters(hits=600, misses=400),)))
    assert "counter, lock, state keys count as well" in finding.message
    only_cache = (KeyFamily(pattern="a:*", description="a"),)
    (finding,) = found("RED001", snapshot(before=(counters(hits=600, misses=400),)), families=only_cache)
    assert "count as well" not in finding.message


@pytest.mark.parametrize(("policy", "severity"), [("volatile-ttl", Severity.MEDIUM), ("allkeys-lru", Severity.HIGH)])
def test_evictions_are_worse_where_locks_are_among_them_red003(policy: str, severity: Severity) -> None:
    seen = snapshot(
        stats("tenant:*", [-1] * 9),
        stats("lock:*", [-1]),
        nodes=(node(maxmemory_policy=policy, maxmemory=11_000_000),),
        before=(counters(evicted_keys=1_234),),
    )
    (finding,) = found("RED003", seen)
    assert (finding.severity, finding.evidence[0].value) == (severity, 1_234)
    assert not found("RED003", snapshot(stats("tenant:*", [-1])))


def test_what_volatile_policies_cannot_evict_red008_trap_24() -> None:
    full = node(maxmemory_policy="volatile-lru", maxmemory=11_000_000)
    staying = stats("tenant:*", [-1] * 90 + [9_000] * 10)
    assert found("RED008", snapshot(staying, nodes=(full,)))[0].severity is Severity.HIGH
    half = structs.replace(full, maxmemory=20_000_000)
    assert found("RED008", snapshot(staying, nodes=(half,)))[0].severity is Severity.INFO
    assert not found("RED008", snapshot(stats("tenant:*", [9_000] * 50 + [-1] * 50), nodes=(full,)))
    few_but_large = stats("tenant:*", [9_000] * 50 + [-1] * 5, no_ttl_bytes=5_000)
    assert found("RED008", snapshot(few_but_large, nodes=(full,)))
    assert found("RED008", snapshot(staying, nodes=(structs.replace(full, maxmemory_policy="noeviction"),)))
    assert not found("RED008", snapshot(staying, nodes=(node(maxmemory_policy="allkeys-lru"),)))


def test_keys_in_other_databases_red014_trap_8() -> None:
    databases = (DatabaseInfo(index=0, keys=1, expires=0), DatabaseInfo(index=3, keys=7, expires=0))
    (finding,) = found("RED014", snapshot(nodes=(node(databases=databases),)))
    assert finding.message.startswith("7 keys in other databases (3)")
    assert not found("RED014", snapshot(nodes=(node(databases=databases),), database="all"))


def test_expired_keys_that_still_take_memory_red016_trap_26() -> None:
    assert found("RED016", snapshot(nodes=(node(expired_stale_percent=12.0),)))
    assert not found("RED016", snapshot(nodes=(node(expired_stale_percent=9.9),)))


def test_a_replica_that_lags_red017() -> None:
    replica = node(name="replica:6379", role="replica", lag_seconds=30.0)
    (finding,) = found("RED017", snapshot(nodes=(node(), replica)))
    assert (finding.subject.name, "30 s" in finding.message) == ("replica:6379", True)
    behind = structs.replace(replica, lag_bytes=20 * MIB)
    assert "20 MiB" in found("RED017", snapshot(nodes=(node(), behind)))[0].message
    assert not found("RED017", snapshot(nodes=(node(), structs.replace(replica, lag_seconds=1.0, lag_bytes=MIB))))


def test_locks_that_a_policy_may_evict_red018_trap_24() -> None:
    keys = (stats("lock:*", [9_000]), stats("availability:*", [9_000] * 9))
    (finding,) = found("RED018", snapshot(*keys, nodes=(node(maxmemory_policy="volatile-lru"),)))
    assert (finding.severity, "lock:*" in finding.message) == (Severity.INFO, True)
    full = node(maxmemory=11_000_000)
    assert found("RED018", snapshot(*keys, nodes=(full,)))[0].severity is Severity.HIGH
    assert not found("RED018", snapshot(stats("availability:*", [9_000]), nodes=(full,)))
    assert not found("RED018", snapshot(*keys, nodes=(node(maxmemory=0),)))
    assert not found("RED018", snapshot(stats("lock:*", [-1]), nodes=(node(maxmemory_policy="volatile-lru"),)))


def test_no_limit_of_memory_red019() -> None:
    assert found("RED019", snapshot(nodes=(node(maxmemory=0),)))
    assert not found("RED019", snapshot())


def test_a_dump_is_not_judged_by_limits_that_it_does_not_hold() -> None:
    seen = snapshot(stats("lock:*", [-1]), nodes=(node(maxmemory=0, maxmemory_policy="unknown"),))
    of_dump = structs.replace(seen, coverage=structs.replace(seen.coverage, mode="rdb", method="file"), before=())
    assert {finding.rule for finding in report(of_dump).findings} == {"RED006"}


def test_each_recommendation_names_its_pattern_and_the_figure() -> None:
    made = report(snapshot(stats("lock:*", [-1]), stats("session:*", [-1] * 3), stats("rate_limit:*", [-1] * 4)))
    by_category = {advice.category: advice for advice in made.recommendations}
    assert by_category["keys_without_ttl"].message.startswith("rate_limit:*: 4 keys without TTL")
    assert by_category["keys_without_ttl"].message.endswith("; and 1 more like it")
    assert [advice.severity for advice in made.recommendations][:2] == [Severity.CRITICAL, Severity.HIGH]
