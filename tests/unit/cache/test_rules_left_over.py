"""Rules about what is left over: expired keys, memory that is freed, other databases."""

from typing import Any

import pytest
from msgspec import structs

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.keyspace_rules_expired import expired_keys
from dbvitals.analyse.keyspace_seen import look
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.model import Action, Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, KeyspaceSnapshot, NodeInfo
from tests.unit.cache.builders import counters, found, node, report, snapshot, stats

MIB = 1024 * 1024


def action_of(rule: str, seen: KeyspaceSnapshot) -> Action:
    (finding,) = found(rule, seen)
    assert finding.action is not None
    return finding.action


def walked(before: int, seen: int, after: int, expired: int = 0, **changes: Any) -> KeyspaceSnapshot:
    """A pass that met so many keys; DBSIZE before and after, and what expired meanwhile by the server's counter."""
    made = snapshot(
        stats("session:*", [9_000] * seen),
        before=(counters(expired_keys=40),),
        after=(counters(expired_keys=40 + expired),),
    )
    coverage = structs.replace(made.coverage, keys_before=before, keys_after=after, **changes)
    return structs.replace(made, coverage=coverage)


def test_expired_keys_that_stay_on_a_replica_are_counted_red016_trap_26() -> None:
    (finding,) = found("RED016", walked(10_000, 1_000, 10_000))
    assert (finding.severity, finding.message.split(" had")[0]) == (Severity.MEDIUM, "9,000 of 10,000 keys")


def test_expired_keys_that_the_pass_itself_removes_are_counted_red016_trap_26() -> None:
    assert "9,000 of 10,000 keys" in found("RED016", walked(10_000, 1_000, 1_000, expired=9_000))[0].message


def test_keys_that_clients_delete_meanwhile_had_not_expired_red016() -> None:
    assert not found("RED016", walked(10_000, 1_000, 1_000))
    assert not found("RED016", walked(10_000, 10_000, 10_000, expired=50_000))
    assert not found("RED016", walked(10_000, 9_001, 10_000))


def test_a_few_locks_that_live_for_milliseconds_have_always_expired_red016() -> None:
    assert not found("RED016", walked(1_010, 11, 11, expired=999))
    assert found("RED016", walked(1_010, 10, 10, expired=1_000))


def test_keys_that_expire_in_the_time_of_the_pass_had_not_expired_before_red016() -> None:
    """Of those that were seen, as many have no longer to live than the pass took as did not wait for it."""
    assert found("RED016", walked(10_000, 5_000, 5_000, expired=5_000, seconds=1.0))
    assert not found("RED016", walked(10_000, 5_000, 5_000, expired=5_000, seconds=10.0))


def test_a_database_that_is_emptied_meanwhile_is_no_whole_one() -> None:
    coverage = report(walked(10_000, 5_000, 0)).summary.coverage
    assert not coverage.trusted
    assert coverage.confidence == "the database was emptied meanwhile: 10,000 keys before, 0 after"
    assert report(walked(10_000, 5_000, 1_000, expired=5_000)).summary.coverage.trusted


@pytest.mark.parametrize(
    "changes",
    [{"mode": "sample"}, {"mode": "rdb"}, {"ended": "interrupted"}, {"topology_changed": True}],
    ids=lambda changes: str(next(iter(changes.values()))),
)
def test_what_was_not_asked_for_is_not_counted_as_expired_red016(changes: dict[str, Any]) -> None:
    seen = walked(10_000, 1_000, 10_000, **changes)
    assert not found("RED016", seen)


def test_a_restart_has_no_counter_to_go_by_red016() -> None:
    seen = walked(10_000, 1_000, 1_000, expired=9_000)
    assert not found("RED016", structs.replace(seen, after=(counters(run_id="b", expired_keys=9_000),)))


@pytest.mark.parametrize(
    ("effort", "line", "undo"),
    [
        (None, "CONFIG SET active-expire-effort 5", "CONFIG SET active-expire-effort 1"),
        ("2", "CONFIG SET active-expire-effort 5", "CONFIG SET active-expire-effort 2"),
        ("5", "CONFIG SET active-expire-effort 10", "CONFIG SET active-expire-effort 5"),
        ("10", "", None),
    ],
)
def test_more_effort_can_be_taken_back_red016(effort: str | None, line: str, undo: str | None) -> None:
    config = {} if effort is None else {"active-expire-effort": effort}
    action = action_of("RED016", snapshot(nodes=(node(expired_stale_percent=12.0, config=config),)))
    assert (action.statement, action.undo) == (line, undo)


def test_counted_keys_are_figures_for_other_rules_too() -> None:
    assert expired_keys_of(walked(10_000, 1_000, 10_000)) == 9_000
    assert expired_keys_of(walked(10_000, 12_000, 10_000)) == 0
    assert expired_keys_of(walked(10_000, 1_000, 10_000, mode="sample")) is None


def expired_keys_of(seen: KeyspaceSnapshot) -> int | None:
    return expired_keys(look(seen, Folding(()), CacheThresholds(), None, ()))


def holding(ratio: float, lost: int, allocator: str = "jemalloc-5.3.0") -> NodeInfo:
    """A process of 200 MiB for 8 MiB of data."""
    return node(
        fragmentation_ratio=26.0,
        fragmentation_bytes=192 * MIB,
        allocator=allocator,
        allocator_fragmentation_ratio=ratio,
        allocator_fragmentation_bytes=lost,
    )


def test_freed_memory_is_no_fragmentation_red013() -> None:
    seen = snapshot(nodes=(holding(1.05, MIB),))
    (finding,) = found("RED013", seen)
    assert (finding.severity, "not given it back" in finding.message) == (Severity.INFO, True)
    assert (action_of("RED013", seen).statement, action_of("RED013", seen).undo) == ("MEMORY PURGE", None)


def test_holes_are_mended_where_the_server_can_red013() -> None:
    seen = snapshot(nodes=(holding(1.6, 150 * MIB),))
    assert found("RED013", seen)[0].severity is Severity.MEDIUM
    assert action_of("RED013", seen).statement == "CONFIG SET activedefrag yes"
    assert "Debian" in action_of("RED013", seen).summary


@pytest.mark.parametrize(("allocator", "severity"), [("libc", Severity.INFO), ("", Severity.MEDIUM)])
def test_no_command_is_proposed_that_other_allocators_refuse_red013(allocator: str, severity: Severity) -> None:
    seen = snapshot(nodes=(holding(26.0, 190 * MIB, allocator),))
    assert found("RED013", seen)[0].severity is severity
    assert action_of("RED013", seen).statement == ""


@pytest.mark.parametrize(
    ("last", "words"), [(11, "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)"), (500, "9, 10 and 489 more)"), (2, "(1)")]
)
def test_of_many_databases_ten_are_named_red014_trap_8(last: int, words: str) -> None:
    databases = tuple(DatabaseInfo(index=index, keys=2, expires=0) for index in range(last))
    (finding,) = found("RED014", snapshot(nodes=(node(databases=databases),)))
    assert words in finding.message
    assert finding.message.startswith(f"{2 * (last - 1):,} keys")
