"""Traps that come with a version, a storage kind or an access method."""

from collections.abc import Iterator

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Drift
from dbvitals.analyse.sql_text import qualified
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.model import Confidence, Evidence, Finding, Ref, Severity
from dbvitals.snapshot import IndexInfo, TableInfo

_CONCURRENTLY_BROKEN = range(140000, 140004)
"""14.0 to 14.3: CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY could leave out rows (release notes of 14.4)."""


def trap_findings(catalog: Catalog, thresholds: IndexThresholds, drift: Drift) -> Iterator[Finding]:
    """Findings IDX011 to IDX014."""
    yield from _unlogged(catalog)
    yield from _skewed_hash(catalog, thresholds)
    yield from _broken_concurrently(catalog)
    yield from _undeclared(catalog, drift)


def _unlogged(catalog: Catalog) -> Iterator[Finding]:
    for table in catalog.roots:
        if table.unlogged:
            yield Finding(
                rule="IDX011",
                severity=Severity.INFO,
                subject=Ref(kind="table", schema=table.schema, name=table.name),
                message="is unlogged: it and its indexes are emptied by a crash, and are not on any standby",
                evidence=(Evidence(name="size", value=table.total_bytes, unit="bytes"),),
            )


def _skewed_hash(catalog: Catalog, thresholds: IndexThresholds) -> Iterator[Finding]:
    for index in catalog.indexes:
        distinct = _distinct_keys(catalog, index) if index.method == "hash" else None
        if distinct is not None and distinct <= thresholds.skewed_hash_max_distinct:
            yield Finding(
                rule="IDX012",
                severity=Severity.INFO,
                subject=Ref(kind="index", schema=index.schema, name=index.name, table=catalog.table_of(index).name),
                message="few distinct values make long overflow chains in a hash index; a B-tree deduplicates them",
                confidence=Confidence.ESTIMATE,
                evidence=(Evidence(name="distinct values", value=round(distinct), unit="values"),),
            )


def _distinct_keys(catalog: Catalog, index: IndexInfo) -> float | None:
    table = catalog.tables[index.table_oid]
    column = next((column for column in table.columns if column.name == index.keys[0].column), None)
    if column is None or column.statistics is None:
        return None
    known = column.statistics.n_distinct
    return known if known >= 0 else -known * max(table.row_estimate, 0)


def _broken_concurrently(catalog: Catalog) -> Iterator[Finding]:
    server = catalog.snapshot.server
    if server.version_num in _CONCURRENTLY_BROKEN:
        yield Finding(
            rule="IDX013",
            severity=Severity.HIGH,
            subject=Ref(kind="server", schema="", name=server.version),
            message="CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY of 14.0 to 14.3 can leave rows out: "
            "update to 14.4 or later before you run any statement of this report, then check with amcheck",
        )


def _undeclared(catalog: Catalog, drift: Drift) -> Iterator[Finding]:
    """Indexes that the project does not declare, on tables that it declares."""
    declared_tables = {(absent.table.schema, absent.table.name) for absent in drift.absent}
    declared_tables |= {
        (table.schema, table.name)
        for index in catalog.indexes
        if (index.schema, index.name) in drift.declared
        for table in (catalog.table_of(index),)
    }
    renamed = {absent.same_as.oid for absent in drift.absent if absent.same_as}
    for index in catalog.indexes:
        table = catalog.table_of(index)
        if _is_undeclared(index, table, declared_tables, drift) and index.oid not in renamed:
            yield Finding(
                rule="IDX014",
                severity=Severity.INFO,
                subject=Ref(kind="index", schema=index.schema, name=index.name, table=table.name),
                message="is not declared by the project: the next database will not have it. Declare it, or drop it: "
                f"{qualified(index.schema, index.name)}",
            )


def _is_undeclared(index: IndexInfo, table: TableInfo, declared_tables: set[tuple[str, str]], drift: Drift) -> bool:
    return (table.schema, table.name) in declared_tables and (index.schema, index.name) not in drift.declared
