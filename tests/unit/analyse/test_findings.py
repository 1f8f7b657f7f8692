"""Each rule finds what it is for, with its severity and its statement, and is silent otherwise."""

from typing import Any

from dbvitals.analyse.index_report import IndexReport
from dbvitals.analyse.indexes import analyse_indexes
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.model import Finding, Severity
from dbvitals.snapshot import CatalogSnapshot, ColumnInfo, ColumnStatistics, IndexBuild, IndexInfo, TableInfo
from tests.unit.analyse.builders import foreign_key, index, key, server, snapshot, table

MIB = 1024 * 1024


def report(seen: CatalogSnapshot, expected: CatalogSnapshot | None = None, **thresholds: Any) -> IndexReport:
    return analyse_indexes(
        seen,
        expected=expected,
        thresholds=IndexThresholds(**thresholds),
        duration_seconds=0.0,
        tool_version="test",
    )


def found(seen: CatalogSnapshot, rule: str, expected: CatalogSnapshot | None = None) -> list[tuple[str, Severity]]:
    return [(f.subject.name, f.severity) for f in report(seen, expected).findings if f.rule == rule]


def the(seen: CatalogSnapshot, rule: str, expected: CatalogSnapshot | None = None) -> Finding:
    (finding,) = [finding for finding in report(seen, expected).findings if finding.rule == rule]
    return finding


def used(of: TableInfo, name: str, *columns: Any, **changes: Any) -> IndexInfo:
    return index(of, name, *columns, scans=5, **changes)


def column(name: str, n_distinct: float, width: int = 4) -> ColumnInfo:
    statistics = ColumnStatistics(avg_width=width, n_distinct=n_distinct, null_frac=0.0)
    return ColumnInfo(attnum=1, name=name, quoted=name, type="integer", not_null=True, statistics=statistics)


def test_idx001_a_declared_index_that_is_absent_is_high() -> None:
    declared = table("t")
    expected = snapshot(declared, index(declared, "idx_t_a", key("a", descending=True, nulls_first=True)))
    finding = the(snapshot(table("t")), "IDX001", expected)
    assert finding.severity is Severity.HIGH
    assert finding.action is not None
    assert finding.action.statement == "CREATE INDEX CONCURRENTLY idx_t_a ON public.t USING btree (a DESC);"
    assert finding.action.undo == "DROP INDEX CONCURRENTLY public.idx_t_a;"


def test_idx001_is_only_info_when_another_index_does_the_work() -> None:
    declared, real = table("t"), table("t")
    expected = snapshot(declared, index(declared, "idx_t_a", "a"))
    assert found(snapshot(real, used(real, "wider", "a", "b")), "IDX001", expected) == [("idx_t_a", Severity.INFO)]


def test_idx001_an_absent_table_is_said_once() -> None:
    declared = table("t")
    expected = snapshot(declared, index(declared, "i", "a"), index(declared, "j", "b"))
    assert found(snapshot(), "IDX001", expected) == [("t", Severity.HIGH)]


def test_idx002_lost_uniqueness_is_worse_than_a_lost_direction() -> None:
    declared, real = table("t"), table("t")
    expected = snapshot(
        declared,
        index(declared, "i", "a", unique=True),
        index(declared, "j", "a", key("b", descending=True, nulls_first=True)),
        index(declared, "k", key("b", descending=True, nulls_first=True)),
    )
    seen = snapshot(real, used(real, "i", "a"), used(real, "j", "a", "b"), used(real, "k", "b"))
    severities = [("i", Severity.HIGH), ("j", Severity.MEDIUM), ("k", Severity.INFO)]
    assert found(seen, "IDX002", expected) == severities  # k is the mirror image: the same scans, backwards


def test_idx003_is_medium_only_for_a_large_child_of_a_parent_with_deletes() -> None:
    def severity(*, rows: float, deletes: int) -> list[Severity]:
        parent, child = table("parent", deletes=deletes), table("child", row_estimate=rows, live_tuples=0)
        return [s for _, s in found(snapshot(parent, child, foreign_key(child, parent, "a")), "IDX003")]

    assert severity(rows=50_000, deletes=3) == [Severity.MEDIUM]
    assert severity(rows=50_000, deletes=0) == severity(rows=50, deletes=3) == [Severity.INFO]


def test_idx003_two_keys_on_the_same_columns_ask_for_one_index() -> None:
    parent, other, child = table("parent"), table("other"), table("child")
    keys = (foreign_key(child, parent, "a", "b"), foreign_key(child, other, "b", "a", name="second"))
    assert found(snapshot(parent, other, child, *keys), "IDX003") == [("idx_child_a_b", Severity.INFO)]


def test_idx003_its_own_suggestion_satisfies_it() -> None:
    parent, child = table("parent"), table("child")
    wanted = foreign_key(child, parent, "a", "b")
    assert found(snapshot(parent, child, wanted, used(child, "idx_child_a_b", "a", "b")), "IDX003") == []


def test_idx005_is_open_while_it_is_too_young_and_drops_after() -> None:
    t = table()
    young = snapshot(t, index(t, "i", "a"), server=server(days=1))
    assert found(young, "IDX005") == [("i", Severity.INFO)]
    finding = the(snapshot(t, index(t, "i", "a")), "IDX005")
    assert (finding.severity, finding.action and finding.action.statement) == (
        Severity.MEDIUM,
        "DROP INDEX CONCURRENTLY public.i;",
    )


def test_idx006_and_idx007_name_the_one_that_stays() -> None:
    t = table()
    seen = snapshot(t, used(t, "i", "a", "b"), used(t, "twin", "a", "b"), used(t, "short", "a"))
    assert found(seen, "IDX006") == [("twin", Severity.MEDIUM)]
    assert found(seen, "IDX007") == [("short", Severity.MEDIUM)]
    assert "i" in the(seen, "IDX006").message


def test_idx007_a_used_index_beside_a_much_larger_one_is_left_alone() -> None:
    t = table()
    finding = the(snapshot(t, used(t, "narrow", "a"), used(t, "fat", "a", "b", size_bytes=900_000)), "IDX007")
    assert (finding.severity, finding.action) == (Severity.INFO, None)
    assert "9.0 times as large" in finding.message


def test_idx008_an_index_being_built_is_not_broken() -> None:
    t = table()
    broken = index(t, "i", "a", valid=False)
    assert found(snapshot(t, broken), "IDX008") == [("i", Severity.MEDIUM)]
    build = IndexBuild(pid=7, table_oid=t.oid, index_oid=broken.oid, phase="building index", done_percent=12.5)
    finding = the(snapshot(t, broken, builds=(build,)), "IDX008")
    assert (finding.severity, finding.action) == (Severity.INFO, None)


def test_idx008_leftovers_of_a_reindex_are_dropped_not_rebuilt() -> None:
    t = table()
    finding = the(snapshot(t, index(t, "i_ccnew1", "a", valid=False)), "IDX008")
    assert finding.action is not None
    assert finding.action.statement == "DROP INDEX CONCURRENTLY public.i_ccnew1;"


def test_idx009_an_index_much_larger_than_a_fresh_one_is_bloated() -> None:
    t = table(row_estimate=100_000.0, live_tuples=100_000, columns=(column("a", -1),))
    finding = the(snapshot(t, used(t, "i", "a", row_estimate=100_000.0, size_bytes=40 * MIB)), "IDX009")
    assert finding.action is not None
    assert finding.action.statement == "REINDEX INDEX CONCURRENTLY public.i;"
    assert found(snapshot(t, used(t, "i", "a", row_estimate=100_000.0, size_bytes=3 * MIB)), "IDX009") == []


def test_idx009_without_statistics_nothing_is_claimed() -> None:
    t = table(row_estimate=10.0, live_tuples=10)
    assert found(snapshot(t, used(t, "i", "a", row_estimate=10.0, size_bytes=40 * MIB)), "IDX009") == []


def test_idx010_asks_its_question_above_the_size_to_review() -> None:
    t = table()
    finding = the(snapshot(t, used(t, "i", "a", size_bytes=101 * MIB)), "IDX010")
    assert (finding.severity, finding.action) == (Severity.INFO, None)
    assert "larger than its table" in finding.message


def test_idx011_says_what_unlogged_means() -> None:
    assert found(snapshot(table("quick", unlogged=True), table("safe")), "IDX011") == [("quick", Severity.INFO)]


def test_idx012_few_values_in_a_hash_index() -> None:
    few, many = table("few", columns=(column("a", 3),)), table("many", columns=(column("a", -0.5),))
    seen = snapshot(few, many, used(few, "h1", "a", method="hash"), used(many, "h2", "a", method="hash"))
    assert found(seen, "IDX012") == [("h1", Severity.INFO)]


def test_idx013_the_versions_that_build_broken_indexes() -> None:
    def rules(number: int) -> list[tuple[str, Severity]]:
        return found(snapshot(server=server(version_num=number, version="14.x")), "IDX013")

    assert rules(140003) == [("14.x", Severity.HIGH)]
    assert rules(140004) == rules(130010) == []


def test_idx014_only_on_tables_that_are_declared() -> None:
    declared, real, other = table("t"), table("t"), table("other")
    expected = snapshot(declared, index(declared, "i", "a"))
    seen = snapshot(real, other, used(real, "i", "a"), used(real, "extra", "b"), used(other, "theirs", "c"))
    assert found(seen, "IDX014", expected) == [("extra", Severity.INFO)]


def test_the_same_snapshot_gives_the_same_report() -> None:
    t = table()
    seen = snapshot(t, index(t, "i", "a"), index(t, "j", "a"), used(t, "k", "b", valid=False))
    assert report(seen) == report(seen)


def test_bytes_of_an_index_that_goes_for_two_reasons_count_once() -> None:
    t = table()
    twins = snapshot(t, index(t, "i", "a", size_bytes=1000), index(t, "j", "a", size_bytes=1000))
    assert report(twins).summary.reclaimable_bytes == 1000


def test_idx008_a_broken_unique_index_is_dropped_since_a_rebuild_may_fail_again() -> None:
    t = table()
    finding = the(snapshot(t, index(t, "i", "a", unique=True, valid=False)), "IDX008")
    assert finding.action is not None
    assert finding.action.statement == "DROP INDEX CONCURRENTLY public.i;"
    assert finding.action.undo is not None
    assert finding.action.undo.startswith("CREATE INDEX CONCURRENTLY i ON public.t")


def test_idx005_says_that_the_project_declares_it() -> None:
    declared, real = table("t"), table("t")
    expected = snapshot(declared, index(declared, "i", "a"))
    assert "remove the declaration too" in the(snapshot(real, index(real, "i", "a")), "IDX005", expected).message


def test_nothing_is_given_away_for_an_index_that_is_to_be_rebuilt_as_another() -> None:
    """The script drops the one and rebuilds the other: nobody would serve (a) afterwards."""
    declared, real = table("t"), table("t")
    expected = snapshot(declared, index(declared, "i", "b"))
    drifted = used(real, "i", "a", "b")
    for other in (used(real, "narrow", "a"), used(real, "twin", "a", "b")):
        seen = snapshot(real, drifted, other)
        assert found(seen, "IDX002", expected) == [("i", Severity.MEDIUM)]
        assert found(seen, "IDX006", expected) == found(seen, "IDX007", expected) == []
    assert found(snapshot(real, drifted, used(real, "narrow", "a")), "IDX007") == [("narrow", Severity.MEDIUM)]
