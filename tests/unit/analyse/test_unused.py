"""Unused is not droppable: each reason to stay, alone."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.indexes import analyse_indexes
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.unused import find_unused
from dbvitals.snapshot import CatalogSnapshot, IndexConstraint, NodeUsage, StatsWindow
from tests.unit.analyse.builders import NOW, foreign_key, index, key, server, snapshot, table


def reasons(seen: CatalogSnapshot, name: str = "i", **thresholds: Any) -> tuple[str, ...] | None:
    verdicts = {u.index.name: u.kept_because for u in find_unused(Catalog(seen), IndexThresholds(**thresholds))}
    return verdicts.get(name)


def replica(scans: dict[int, int], *, days: float | None = 30, role: str = "replica") -> NodeUsage:
    since = None if days is None else NOW - timedelta(days=days)
    window = StatsWindow(since=since, source="test")
    return NodeUsage(node="standby:5432", role=role, window=window, scans=scans)  # type: ignore[arg-type]


def test_nothing_speaks_for_it_after_a_month() -> None:
    t = table()
    assert reasons(snapshot(t, index(t, "i", "a"))) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unique": True, "constraint": IndexConstraint(name="i", type="primary")}, "primary_key"),
        ({"unique": True, "constraint": IndexConstraint(name="i", type="unique")}, "unique_constraint"),
        ({"method": "gist", "constraint": IndexConstraint(name="i", type="exclusion")}, "exclusion_constraint"),
        ({"unique": True}, "unique_index"),
        ({"replica_identity": True}, "replica_identity"),
        ({"clustered": True}, "clustered"),
        ({"keys": (key("a", column=None, text="lower(a)"),)}, "expression_statistics"),
        ({"parent_oid": 4711}, "partition_of_used_parent"),
        ({"created_at": NOW - timedelta(days=1)}, "too_young"),
        ({"valid": False}, "invalid"),
        ({"texts_known": False}, "not_read"),
    ],
)
def test_each_reason_alone_keeps_it(changes: dict[str, Any], reason: str) -> None:
    t = table()
    assert reasons(snapshot(t, index(t, "i", "a", **changes))) == (reason,)


def test_an_index_that_a_foreign_key_needs_stays() -> None:
    parent, child = table("parent"), table("child")
    assert reasons(snapshot(parent, child, foreign_key(child, parent, "a"), index(child, "i", "a", "b"))) == (
        "foreign_key_support",
    )


@pytest.mark.parametrize("days", [None, 0.0, 6.99])
def test_a_short_or_unknown_window_judges_nothing(days: float | None) -> None:
    t = table()
    assert reasons(snapshot(t, index(t, "i", "a"), server=server(days=days))) == ("too_young",)


def test_counters_that_are_switched_off_judge_nothing() -> None:
    t = table()
    off = server(window=StatsWindow(since=NOW - timedelta(days=90), source="test", counting=False))
    assert reasons(snapshot(t, index(t, "i", "a"), server=off)) == ("too_young",)


def test_fewer_block_reads_than_writes_prove_that_it_is_young() -> None:
    t = table(inserts=5000, updates=1000, hot_updates=900)
    assert reasons(snapshot(t, index(t, "i", "a", blocks_touched=5099))) == ("too_young",)
    assert reasons(snapshot(t, index(t, "i", "a", blocks_touched=5100))) == ()


def test_a_known_standby_must_be_looked_at() -> None:
    t = table()
    one = index(t, "i", "a")
    seen = snapshot(t, one, server=server(replicas_known=1))
    assert reasons(seen) == ("replica_not_seen",)
    assert reasons(replace(seen, replicas=(replica({}),))) == ()
    assert reasons(replace(seen, replicas=(replica({one.oid: 3}),))) is None


def test_what_the_login_may_not_see_stays_open() -> None:
    t = table()
    assert reasons(snapshot(t, index(t, "i", "a"), server=server(replicas_known=None))) == ("replica_not_seen",)


def test_the_shortest_window_of_all_nodes_counts() -> None:
    t = table()
    seen = snapshot(t, index(t, "i", "a"), server=server(replicas_known=1), replicas=(replica({}, days=2),))
    assert reasons(seen) == ("too_young",)


def test_on_a_standby_the_primary_must_be_looked_at() -> None:
    t = table()
    seen = snapshot(t, index(t, "i", "a"), server=server(role="replica", replicas_known=0))
    assert reasons(seen) == ("replica_not_seen",)
    assert reasons(replace(seen, replicas=(replica({}, role="primary"),))) == ()


def test_scans_of_partitions_are_scans_of_the_tree() -> None:
    parent = table("p", kind="partitioned")
    part = table("p1", parent_oid=parent.oid)
    root = index(parent, "root", "a")
    seen = snapshot(parent, part, root, index(part, "leaf", "a", parent_oid=root.oid, scans=5))
    assert reasons(seen, "root") is None
    assert reasons(seen, "leaf") is None


def test_the_one_that_stays_for_a_duplicate_is_not_dropped_as_unused() -> None:
    t = table()
    twins = snapshot(t, index(t, "a1", "a"), index(t, "a2", "a", scans=900))
    report = analyse_indexes(
        twins, expected=None, thresholds=IndexThresholds(), duration_seconds=0.0, tool_version="test"
    )
    assert [(d.index, d.kept_index) for d in report.duplicate_indexes] == [("a2", "a1")]
    assert [(u.index, u.kept_because) for u in report.unused_indexes] == [("a1", ("serves_duplicate",))]


def test_a_used_narrow_index_is_not_given_away_for_an_unused_wide_one() -> None:
    t = table()
    seen = snapshot(t, index(t, "narrow", "a", scans=900), index(t, "wide", "a", "b"))
    report = analyse_indexes(
        seen, expected=None, thresholds=IndexThresholds(), duration_seconds=0.0, tool_version="test"
    )
    assert report.duplicate_indexes == ()
    assert [(u.index, u.droppable) for u in report.unused_indexes] == [("wide", True)]
