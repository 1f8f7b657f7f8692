"""Rules about large keys, and about what measuring a part of each has missed."""

import pytest
from msgspec import structs

from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, KeySize, KeyspaceSnapshot, PatternStats
from tests.unit.cache.builders import found, node, report, snapshot, stats

MIB = 1024 * 1024


def giant(memory_bytes: int, **changes: object) -> PatternStats:
    key = structs.replace(KeySize(key="queue:mail", memory_bytes=memory_bytes, type="hash"), **changes)
    return stats("queue:mail", [-1], memory_bytes=memory_bytes, largest=(key,))


def stating(stated: int, *patterns: PatternStats, **coverage: object) -> KeyspaceSnapshot:
    """A keyspace of which the server says that it takes so much."""
    made = snapshot(*patterns)
    seen = structs.replace(made.coverage, **coverage)
    database = DatabaseInfo(index=0, keys=seen.keys_before, expires=0)
    return structs.replace(
        made, nodes=(node(keyspace_bytes=stated, used_memory=stated, databases=(database,)),), coverage=seen
    )


@pytest.mark.parametrize(
    ("key", "beside", "severity"),
    [
        (2 * MIB, 0, Severity.MEDIUM),
        (64 * MIB, 0, Severity.HIGH),
        (6 * MIB, 57 * MIB, Severity.MEDIUM),
        (6 * MIB, 58 * MIB, Severity.HIGH),
        (63 * MIB, 2_000 * MIB, Severity.MEDIUM),
    ],
    ids=["small server", "large key", "all small", "all large", "small share"],
)
def test_a_large_key_is_urgent_where_there_is_much_memory_red009(key: int, beside: int, severity: Severity) -> None:
    seen = snapshot(giant(key), stats("a:<n>", [-1], memory_bytes=beside))
    assert found("RED009", seen)[0].severity is severity


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("hash", "split it over many keys"),
        ("string", "split it over many keys"),
        ("list", "see why nobody takes its entries out, or bound it (LTRIM)"),
        ("stream", "see why nobody takes its entries out, or bound it (XTRIM … MAXLEN)"),
    ],
)
def test_a_queue_is_to_be_emptied_and_no_other_key_red009(kind: str, words: str) -> None:
    (finding,) = found("RED009", snapshot(giant(2 * MIB, type=kind)))
    assert finding.action is not None
    assert finding.action.summary.startswith(words)


def test_a_lopsided_key_is_said_to_be_so_red009() -> None:
    (finding,) = found("RED009", snapshot(giant(2 * MIB, lopsided=True)))
    assert "holds 2.0 MiB, most of it in few of its elements: " in finding.message
    assert finding.action is not None
    assert finding.action.summary.startswith("keep its largest elements elsewhere")
    assert "elements" not in found("RED009", snapshot(giant(2 * MIB)))[0].message
    (row,) = (one for one in report(snapshot(giant(2 * MIB, lopsided=True))).patterns if one.largest_keys)
    assert row.largest_keys[0].lopsided


def test_less_than_was_measured_is_a_difference_too_red010() -> None:
    measured = stats("a:<n>", [-1] * 100, memory_bytes=400_000)
    (finding,) = found("RED010", stating(30_000_000, measured))
    assert finding.evidence[0].value == -10_000_000
    assert "collections of which a few large elements stand for all" in finding.message
    assert finding.message.startswith("the server has 28.6 MiB in use, measured are 38.1 MiB: ")
    assert not found("RED010", stating(34_000_000, measured))


def test_buffers_of_which_the_server_tells_too_much_are_no_difference_red010() -> None:
    """It looks at those of each client now and then: some that are counted may have become keys already."""
    seen = stating(30_000_000, stats("a:<n>", [-1] * 100, memory_bytes=400_000))
    in_use = structs.replace(seen.nodes[0], used_memory=41_000_000)
    assert not found("RED010", structs.replace(seen, nodes=(in_use,)))


@pytest.mark.parametrize(
    ("encoding", "is_found"),
    [
        ("string/raw", True),
        ("string/", True),
        ("hash/listpack", True),
        ("set/intset", True),
        ("hash/hashtable", False),
        ("zset/skiplist", False),
        ("list/quicklist", False),
        ("stream/stream", False),
        ("hash/", False),
    ],
)
def test_what_is_measured_whole_leaves_less_unaccounted_red010(encoding: str, is_found: bool) -> None:
    known = stats("a:<n>", [-1] * 100, memory_bytes=1_800_000, types_known=12, encodings={encoding: 12})
    assert bool(found("RED010", stating(212_000_000, known))) == is_found
    assert found("RED010", stating(230_000_000, known))


def test_keys_that_came_during_the_pass_are_no_difference_red010() -> None:
    measured = stats("a:<n>", [-1] * 100, memory_bytes=400_000)
    assert found("RED010", stating(30_000_000, measured, keys_before=70, keys_after=72))
    assert not found("RED010", stating(30_000_000, measured, keys_before=70, keys_after=100))


def test_keys_that_expired_and_are_still_there_are_what_is_missing_red010() -> None:
    alive = stats("a:<n>", [60_000] * 1_000, memory_bytes=1_000)
    assert not found("RED010", stating(20_000_000, alive, keys_before=9_000, keys_after=9_000))
    assert found("RED010", stating(20_000_000, alive, keys_before=1_005, keys_after=1_005))


@pytest.mark.parametrize(
    "coverage",
    [{"ended": "max-seconds"}, {"mode": "sample"}, {"topology_changed": True}, {"nodes_missing": 1}],
    ids=["partial", "sample", "moved", "node missing"],
)
def test_what_was_not_all_measured_is_not_reconciled_red010(coverage: dict[str, object]) -> None:
    measured = stats("a:<n>", [-1] * 100, memory_bytes=10_000)
    assert found("RED010", stating(20_000_000, measured))
    partial = stating(20_000_000, measured, **coverage)
    assert not found("RED010", partial)
    assert (report(partial).memory.unaccounted_bytes is None) == (coverage != {"mode": "sample"})
