"""What findings advise: each has a figure and something to do, and none makes matters worse."""

import re
from itertools import chain

import pytest
from msgspec import structs

from dbvitals.analyse.key_tally import bucket_of
from dbvitals.analyse.keyspace_recommend import CACHE_CATEGORIES
from dbvitals.expect import KeyFamily
from dbvitals.model import Action, Finding
from dbvitals.snapshot_keyspace import (
    DatabaseInfo,
    KeySize,
    KeyspaceSnapshot,
    NeverRead,
    PatternLookups,
    ReplicaInfo,
    TenantMemory,
)
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import counters, found, node, report, snapshot, stats

MIB = 1024 * 1024
GIB = 1024 * MIB
CONFIG = (KeyFamily(pattern="config:*", description="settings", expires=False),)


def action_of(rule: str, seen: KeyspaceSnapshot) -> Action:
    (finding,) = found(rule, seen)
    assert finding.action is not None
    return finding.action


def sets(**config: str) -> KeyspaceSnapshot:
    small = stats("session:*", [9_000] * 100, memory_bytes=900, types_known=20, encodings={"set/hashtable": 20})
    return snapshot(small, nodes=(node(config=config),))


def hashes(**config: str) -> KeyspaceSnapshot:
    small = stats("session:*", [9_000] * 100, memory_bytes=900, types_known=20, encodings={"hash/hashtable": 20})
    return snapshot(small, nodes=(node(config=config),))


def test_a_number_of_elements_is_no_length_of_values_red011() -> None:
    assert not found("RED011", sets(**{"set-max-intset-entries": "512"}))
    assert not found("RED011", sets())
    (finding,) = found("RED011", sets(**{"set-max-intset-entries": "512", "set-max-listpack-value": "64"}))
    assert "longer than set-max-listpack-value 64" in finding.message


@pytest.mark.parametrize(("limit", "proposed"), [("64", 256), ("128", 256), ("200", 400), ("4096", 8192)])
def test_no_limit_of_a_value_is_lowered_red011(limit: str, proposed: int) -> None:
    action = action_of("RED011", hashes(**{"hash-max-listpack-value": limit}))
    assert action.statement == f"CONFIG SET hash-max-listpack-value {proposed}"
    assert action.undo == f"CONFIG SET hash-max-listpack-value {limit}"


def test_an_unknown_limit_leaves_no_hole_and_no_number_red011() -> None:
    (finding,) = found("RED011", hashes())
    assert "a value longer than its limit keeps them" in finding.message
    assert action_of("RED011", hashes()).statement == "CONFIG GET hash-max-*-value"


@pytest.mark.parametrize(
    ("used", "peak", "proposed"),
    [(9 * GIB, 10 * GIB, 15 * 1024), (9 * GIB, None, 14 * 1024), (10 * MIB, 12 * MIB, 128), (400 * MIB, 0, 640)],
)
def test_the_limit_of_memory_is_above_what_was_in_use_red019(used: int, peak: int | None, proposed: int) -> None:
    seen = snapshot(nodes=(node(maxmemory=0, used_memory=used, peak_memory=peak),))
    assert action_of("RED019", seen).statement == f"CONFIG SET maxmemory {proposed}mb"
    assert proposed * MIB >= 1.5 * max(used, peak or 0)


def test_it_is_said_what_the_limit_comes_from_red019() -> None:
    seen = snapshot(nodes=(node(maxmemory=0, used_memory=9 * GIB, peak_memory=10 * GIB),))
    assert "1.5 times the 10.0 GiB that it had in use at most" in action_of("RED019", seen).summary
    assert {one.name: one.value for one in found("RED019", seen)[0].evidence}["used memory"] == 9 * GIB


def test_more_memory_is_more_than_there_is_red003() -> None:
    seen = snapshot(nodes=(node(maxmemory=4 * GIB, used_memory=4 * GIB),), before=(counters(evicted_keys=9),))
    action = action_of("RED003", seen)
    assert (action.statement, action.undo) == ("CONFIG SET maxmemory 6144mb", f"CONFIG SET maxmemory {4 * GIB}")


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
@pytest.mark.parametrize("pattern", ["lock:*", "circuit_breaker:*"])
def test_no_policy_is_advised_that_evicts_locks_or_state_red008(policy: str, pattern: str) -> None:
    full = (node(maxmemory_policy=policy, maxmemory=11_000_000),)
    beside = snapshot(stats("tenant:*", [-1] * 90), stats(pattern, [9_000]), nodes=full)
    action = action_of("RED008", beside)
    assert (action.statement, action.undo) == ("CONFIG SET maxmemory 128mb", "CONFIG SET maxmemory 11000000")
    assert "give it more memory" in action.summary


def test_counters_say_since_when_they_run_red001_red003() -> None:
    seen = snapshot(before=(counters(hits=600, misses=400, evicted_keys=7, uptime_seconds=4 * 86_400),))
    for rule in ("RED001", "RED003"):
        (finding,) = found(rule, seen)
        assert "since the server's start (4 d)" in finding.message
        assert {one.name: one.value for one in finding.evidence if one.unit == "seconds"} == {"counted for": 345_600.0}


def test_a_replica_that_is_behind_speaks_of_itself_red017() -> None:
    replica = node(name="replica:6379", role="replica", lag_bytes=20 * MIB)
    assert found("RED017", snapshot(nodes=(replica,)))[0].message.startswith("this replica is behind by 20 MiB")
    known = ReplicaInfo(name="replica:6379", behind_bytes=20 * MIB, silent_seconds=0.0)
    primary = found("RED017", snapshot(nodes=(node(replicas=(known,)),)))[0]
    assert primary.message.startswith("replica replica:6379 is behind by 20 MiB")


def test_a_dump_counts_the_expired_among_all_of_its_keys_red016() -> None:
    seen = snapshot(nodes=(node(expired_stale_percent=12.0),))
    assert "12 % of the keys with a TTL" in found("RED016", seen)[0].message
    of_dump = structs.replace(seen, coverage=structs.replace(seen.coverage, mode="rdb", method="file"), before=())
    assert "12 % of its keys have expired" in found("RED016", of_dump)[0].message


@pytest.mark.parametrize(
    ("pattern", "declared"),
    [("junk:<n>", "junk:*"), ("user:*:cart", "user:*"), (r"it's\*:<n>", "it's*"), ("<uuid>", ""), ("other", "")],
)
def test_what_grows_is_declared_with_one_line_red020(pattern: str, declared: str) -> None:
    line = action_of("RED020", snapshot(stats(pattern, [-1] * 1_000))).statement
    if not declared:
        assert line == ""
        return
    family = eval(line, {"KeyFamily": KeyFamily})  # noqa: S307 - the line that a reader copies
    assert (family.pattern, family.expires) == (declared, None)


def faults() -> list[KeyspaceSnapshot]:
    """Snapshots which together set off every rule."""
    giant = KeySize(key="queue", memory_bytes=2 * MIB, type="list")
    database = (DatabaseInfo(index=0, keys=100, expires=0),)
    together = [600_000 + number for number in range(10_000)] + list(range(1_000, 1_200_000, 500))
    full = node(
        maxmemory=11_000_000,
        maxmemory_policy="volatile-lru",
        fragmentation_ratio=1.6,
        fragmentation_bytes=200 * MIB,
        expired_stale_percent=12.0,
        save_failed=True,
        databases=(DatabaseInfo(index=3, keys=7, expires=0),),
    )
    return [
        snapshot(
            stats("lock:*", [9_000, -1]),
            stats("session:*", [-1] * 90),
            stats("availability:*", [9_000_000] * 20),
            nodes=(full,),
            before=(counters(hits=600, misses=400, evicted_keys=3),),
        ),
        snapshot(
            stats("availability:*", [20_000] * 20),
            stats("junk:<n>", [-1] * 1_000),
            stats("queue", [-1], memory_bytes=2 * MIB, largest=(giant,)),
            nodes=(node(maxmemory=0),),
            tenants=(
                TenantMemory(tenant="7", keys=9, memory_bytes=4 * MIB),
                TenantMemory(tenant="8", keys=1, memory_bytes=9),
            ),
            lookups=(PatternLookups(pattern="pms_cache:*", source="client", hits=60, misses=60, seconds=None),),
            never_read=(NeverRead(pattern="pms_cache:*", judged=100, never_read=60),),
        ),
        snapshot(
            stats("availability:*", together),
            after_expiry=(MissesAfterExpiry(pattern="availability:*", misses=100, buckets={bucket_of(300_000): 100}),),
        ),
        snapshot(
            stats("a:<n>", [-1] * 100, memory_bytes=10_000),
            nodes=(node(keyspace_bytes=8_000_000, databases=database),),
        ),
        hashes(),
        snapshot(nodes=(node(), node(name="replica:6379", role="replica", lag_seconds=30.0))),
    ]


def all_findings() -> list[Finding]:
    config = snapshot(stats("config:*", [-1, 60_000], family="config:*"))
    return list(chain(*(report(seen).findings for seen in faults()), report(config, families=CONFIG).findings))


FINDINGS = all_findings()


@pytest.mark.parametrize("rule", sorted(CACHE_CATEGORIES))
def test_every_rule_has_evidence_and_an_action(rule: str) -> None:
    of_rule = [finding for finding in FINDINGS if finding.rule == rule]
    assert of_rule
    for finding in of_rule:
        assert [one.value for one in finding.evidence if isinstance(one.value, int | float)]
        assert None not in [one.value for one in finding.evidence]
        assert finding.action is not None
        assert finding.action.summary


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: f"{finding.rule}-{finding.subject.name}")
def test_what_is_to_be_run_can_be_run_as_it_stands(finding: Finding) -> None:
    assert finding.action is not None
    if finding.action.statement.startswith(("CONFIG", "INFO", "dbvitals")):
        assert re.fullmatch(r"[\w .*-]+", finding.action.statement)
