"""Rules about the limit of memory: what is said of a server that is full, was full, or cannot be; no harmful line."""

from typing import Any

import pytest
from msgspec import structs

from app.expectations import FAMILIES
from dbvitals.expect import KeyFamily
from dbvitals.model import Action, Finding, Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, KeyspaceSnapshot, NodeInfo, PatternStats
from tests.unit.cache.builders import counters, found, node, report, snapshot, stats

GIB = 1024**3
CACHE = (KeyFamily(pattern="page:*", description="pages"),)
POLICY_LINE = "CONFIG SET maxmemory-policy allkeys-lfu"


def action_of(finding: Finding) -> Action:
    assert finding.action is not None
    return finding.action


def full(percent: float = 91.0, policy: str = "noeviction", **changes: Any) -> NodeInfo:
    made = node(used_memory=round(percent * 100_000), peak_memory=0, maxmemory=10_000_000, maxmemory_policy=policy)
    return structs.replace(made, **changes)


def pages(*others: PatternStats, of: NodeInfo, **changes: Any) -> KeyspaceSnapshot:
    made = snapshot(stats("page:*", [-1] * 90, family="page:*"), *others, nodes=(of,))
    return structs.replace(made, **changes)


def line_of_red008(seen: KeyspaceSnapshot, families: tuple[KeyFamily, ...] = CACHE) -> str:
    (finding,) = found("RED008", seen, families=families)
    return action_of(finding).statement


def test_a_policy_that_evicts_any_key_is_for_a_server_of_declared_caches_alone_red008() -> None:
    assert line_of_red008(pages(of=full())) == POLICY_LINE
    (finding,) = found("RED008", pages(of=full(policy="volatile-lru")), families=CACHE)
    assert action_of(finding).undo == "CONFIG SET maxmemory-policy volatile-lru"


@pytest.mark.parametrize("other", ["rq:job:<uuid>", "rq:queue:mail", "other"])
@pytest.mark.parametrize("ttl", [-1, 9_000], ids=["stays", "expires"])
def test_what_nobody_declared_may_be_a_queue_red008(other: str, ttl: int) -> None:
    seen = pages(stats(other, [ttl]), of=full())
    assert line_of_red008(seen) == "CONFIG SET maxmemory 128mb"


@pytest.mark.parametrize("kind", ["lock", "state", "counter"])
def test_families_that_have_no_key_at_the_moment_will_have_some_red008(kind: Any) -> None:
    families = (*CACHE, KeyFamily(pattern="mine:*", description="mine", kind=kind))
    assert line_of_red008(pages(of=full()), families) == "CONFIG SET maxmemory 128mb"


@pytest.mark.parametrize(
    "changes",
    [{"ended": "max-seconds"}, {"ended": "lost"}, {"mode": "sample"}, {"topology_changed": True}],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_what_was_not_seen_may_be_a_lock_red008(changes: dict[str, Any]) -> None:
    seen = pages(of=full())
    part = structs.replace(seen, coverage=structs.replace(seen.coverage, **changes))
    assert line_of_red008(part) == "CONFIG SET maxmemory 128mb"


def test_a_policy_is_that_of_all_databases_red008() -> None:
    other = (DatabaseInfo(index=0, keys=90, expires=0), DatabaseInfo(index=3, keys=1, expires=0))
    assert line_of_red008(pages(of=full(databases=other))) == "CONFIG SET maxmemory 128mb"
    assert line_of_red008(pages(of=full(databases=other), database="all")) == POLICY_LINE


def test_what_does_not_expire_is_counted_in_all_databases_red008() -> None:
    """The ten keys of the database that was read say nothing of 34,500 others, which may all go."""
    staying, going = DatabaseInfo(index=0, keys=10, expires=0), DatabaseInfo(index=1, keys=34_500, expires=34_500)
    seen = snapshot(stats("tenant:*", [-1] * 10), nodes=(full(101.0, "volatile-lru", databases=(staying, going)),))
    assert not found("RED008", seen)
    others = structs.replace(going, expires=0)
    seen = snapshot(stats("session:*", [9_000] * 10), nodes=(full(91.0, "volatile-lru", databases=(staying, others)),))
    (finding,) = found("RED008", seen)
    assert "100 % of the memory is keys without TTL" in finding.message


def test_an_empty_server_and_one_with_room_get_no_line_red008() -> None:
    empty = snapshot(nodes=(full(5.0),))
    assert line_of_red008(empty) == line_of_red008(pages(of=full(50.0))) == ""
    assert line_of_red008(snapshot(nodes=(full(),))) == "CONFIG SET maxmemory 128mb"


def test_writes_that_fail_now_are_no_risk_but_an_outage_red008() -> None:
    (finding,) = found("RED008", snapshot(nodes=(full(232.0, oom_errors=1),)))
    assert finding.severity is Severity.CRITICAL
    assert finding.message.startswith("writes are refused: memory is 232 % full")
    assert "OOM was answered once" in finding.message
    assert action_of(finding).statement == "CONFIG SET maxmemory 128mb"


def test_volatile_policies_refuse_once_no_key_has_a_ttl_red008() -> None:
    none, some = (DatabaseInfo(index=0, keys=90, expires=number) for number in (0, 5))
    staying = stats("tenant:*", [-1] * 90)
    severities = [
        found("RED008", snapshot(staying, nodes=(full(101.0, "volatile-ttl", databases=(base,)),)))[0].severity
        for base in (none, some)
    ]
    assert severities == [Severity.CRITICAL, Severity.HIGH]


def test_buffers_that_are_not_limited_do_not_fill_it_red008() -> None:
    assert found("RED008", snapshot(nodes=(full(101.0, uncounted_memory=500_000),)))[0].severity is Severity.HIGH
    assert not found("RED008", snapshot(nodes=(full(101.0, uncounted_memory=5_000_000),)))


def test_a_replica_does_not_refuse_its_primarys_writes_red008() -> None:
    assert found("RED008", snapshot(nodes=(full(101.0, role="replica"),)))[0].severity is Severity.HIGH


def test_locks_and_state_are_well_kept_without_evictions_red008_red018() -> None:
    """What the advice of RED018 leads to is not complained about: the hotel can pass `--fail-on info`."""
    keys = (stats("session:*", [9_000] * 9), stats("lock:*", [9_000]))
    assert report(snapshot(*keys, nodes=(full(79.0),))).findings == ()
    assert report(snapshot(nodes=(full(79.0),))).findings == ()
    (finding,) = report(snapshot(*keys, nodes=(full(91.0),))).findings
    assert (finding.rule, finding.severity) == ("RED008", Severity.HIGH)
    assert action_of(finding).statement == "CONFIG SET maxmemory 128mb"
    assert "of their own" not in action_of(finding).summary


@pytest.mark.parametrize("percent", [20.0, 100.0])
def test_no_line_turns_evictions_into_refused_writes_red018(percent: float) -> None:
    seen = snapshot(stats("lock:*", [9_000]), nodes=(full(percent, "allkeys-lru"),))
    (finding,) = found("RED018", seen)
    assert action_of(finding).statement == ""
    assert "on another Redis" in action_of(finding).summary


def test_without_sizes_or_times_the_servers_own_counts_decide_red008_red018() -> None:
    base = DatabaseInfo(index=0, keys=100, expires=10)
    unknown: dict[str, Any] = {"memory_known": 0, "memory_bytes": 0, "no_ttl_bytes": 0}
    server = full(89.0, "volatile-lru", databases=(base,))
    keys = stats("tenant:*", [-1] * 90 + [9_000] * 10, **unknown)
    (finding,) = found("RED008", snapshot(keys, nodes=(server,)))
    assert (finding.severity, "90 % of the keys have no TTL" in finding.message) == (Severity.HIGH, True)
    untimed = stats("lock:*", [-1] * 100, ttl_known=0, no_ttl=0)
    assert {"RED008", "RED018"} <= {finding.rule for finding in report(snapshot(untimed, nodes=(server,))).findings}


def evicting(percent: float, **changes: Any) -> KeyspaceSnapshot:
    seen = snapshot(
        stats("lock:*", [9_000]), nodes=(full(percent, "allkeys-lru"),), before=(counters(evicted_keys=2_767),)
    )
    return structs.replace(seen, **changes)


def test_what_was_full_once_is_no_alarm_red003_red018() -> None:
    (finding,) = found("RED003", evicting(12.0))
    assert finding.severity is Severity.INFO
    assert finding.message.endswith("because memory was full once; it is 12 % full now")
    assert action_of(finding).statement == "dbvitals cache --window 60s"
    assert found("RED018", evicting(12.0))[0].severity is Severity.INFO
    assert [found(rule, evicting(99.0))[0].severity for rule in ("RED003", "RED018")] == [Severity.HIGH] * 2


def test_evictions_of_a_window_are_those_of_now_red003() -> None:
    seen = evicting(79.0, before=(counters(),), after=(counters(evicted_keys=9),), window_seconds=60.0)
    assert found("RED003", seen)[0].severity is Severity.HIGH


def test_evictions_before_the_limit_was_taken_away_red003() -> None:
    seen = snapshot(nodes=(node(maxmemory=0),), before=(counters(evicted_keys=3),))
    assert found("RED003", seen)[0].message.endswith("full once; it has no limit now")


def test_a_policy_that_evicts_nothing_has_evicted_nothing_red003() -> None:
    (finding,) = found("RED003", snapshot(nodes=(full(232.0),), before=(counters(evicted_keys=3),)))
    assert finding.severity is Severity.INFO
    assert finding.message.endswith("full once; its policy is noeviction now")


def test_evictions_are_laid_on_the_node_that_evicts_red003_trap_9() -> None:
    nodes = tuple(
        full(99.0, "allkeys-lru", name=f"node{number}:6379", maxmemory=limit)
        for number, limit in ((1, 0), (2, 0), (3, 9_900_000))
    )
    sums = tuple(counters(node=one.name, evicted_keys=7 if one is nodes[2] else 0) for one in nodes)
    seen = snapshot(nodes=nodes, before=sums, after=sums)
    (finding,) = found("RED003", seen)
    assert finding.subject.name == "node3:6379"
    assert action_of(finding).undo == "CONFIG SET maxmemory 9900000"


def test_evictions_of_a_node_are_those_since_the_saved_snapshot_red003() -> None:
    nodes = tuple(full(99.0, "allkeys-lru", name=name) for name in ("a:1", "b:1"))
    sums = [tuple(counters(node=name, evicted_keys=evicted) for name in ("a:1", "b:1")) for evicted in (5, 5)]
    earlier = snapshot(nodes=nodes, before=sums[0], after=sums[0])
    now = (counters(node="a:1", evicted_keys=5), counters(node="b:1", evicted_keys=8))
    (finding,) = found("RED003", snapshot(nodes=nodes, before=now, after=now), earlier=earlier)
    assert (finding.subject.name, finding.evidence[0].value) == ("b:1", 3)


@pytest.mark.parametrize(
    ("limit", "used", "machine", "line"),
    [
        (20 * GIB, 20 * GIB, 23 * GIB, ""),
        (4 * GIB, 4 * GIB, 23 * GIB, "CONFIG SET maxmemory 6144mb"),
        (4 * GIB, 4 * GIB, None, "CONFIG SET maxmemory 6144mb"),
        (12 * GIB, 12 * GIB, 24 * GIB, "CONFIG SET maxmemory 18432mb"),
        (13 * GIB, 13 * GIB, 24 * GIB, ""),
    ],
)
def test_no_limit_is_proposed_that_the_machine_does_not_have_red003_red008(
    limit: int, used: int, machine: int | None, line: str
) -> None:
    server = full(0, "allkeys-lru", maxmemory=limit, used_memory=used, machine_memory=machine)
    seen = snapshot(nodes=(server,), before=(counters(evicted_keys=9),))
    keeping = snapshot(nodes=(structs.replace(server, maxmemory_policy="noeviction"),))
    for finding in (*found("RED003", seen), *found("RED008", keeping)):
        assert action_of(finding).statement == line
        assert line or "larger machine" in action_of(finding).summary


def test_no_first_limit_either_red019() -> None:
    server = node(maxmemory=0, used_memory=15 * GIB, peak_memory=16 * GIB, machine_memory=24 * GIB)
    (finding,) = found("RED019", snapshot(nodes=(server,)))
    assert (action_of(finding).statement, "24.0 GiB in all" in action_of(finding).summary) == ("", True)


def test_the_hotels_families_are_not_all_of_a_cache() -> None:
    """Else the tests above would show nothing."""
    assert {"lock", "state"} <= {family.kind for family in FAMILIES}
