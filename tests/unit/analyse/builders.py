"""Small snapshots made by hand: everything has a default, a test names what matters to it."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dbvitals.snapshot import (
    SNAPSHOT_VERSION,
    CatalogSnapshot,
    ForeignKey,
    IndexInfo,
    IndexKey,
    LeftOut,
    OperatorFamily,
    ServerInfo,
    StatsWindow,
    TableInfo,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_oids = itertools.count(16384)

INT_FAMILY, INT_EQUAL = 1976, 96


def server(*, days: float | None = 30, **changes: Any) -> ServerInfo:
    """A lone primary whose counters run for `days`."""
    since = None if days is None else NOW - timedelta(days=days)
    made = ServerInfo(
        version_num=150018,
        version="15.18",
        host="db",
        port=5432,
        database="hotel",
        user="reader",
        role="primary",
        taken_at=NOW,
        block_size=8192,
        data_checksums=True,
        system_identifier="7",
        replicas_known=0,
        window=StatsWindow(since=since, source="test"),
    )
    return replace(made, **changes)


def table(name: str = "t", **changes: Any) -> TableInfo:
    """An ordinary, quiet table."""
    made = TableInfo(
        oid=next(_oids),
        schema="public",
        name=name,
        kind="table",
        unlogged=False,
        parent_oid=None,
        row_estimate=1000.0,
        table_bytes=81920,
        index_bytes=0,
        total_bytes=81920,
        sizes_estimated=False,
        locked=False,
        replica_identity="default",
        seq_scans=0,
        seq_tuples_read=0,
        idx_scans=0,
        inserts=0,
        updates=0,
        hot_updates=0,
        deletes=0,
        live_tuples=1000,
        dead_tuples=0,
        last_vacuum=None,
        last_autovacuum=None,
        last_analyze=None,
        last_autoanalyze=None,
    )
    return replace(made, **changes)


def key(name: str, **changes: Any) -> IndexKey:
    """An ascending integer key."""
    made = IndexKey(
        text=name,
        attnum=1,
        column=name,
        opclass="int4_ops",
        opclass_default=True,
        opfamily="integer_ops",
        opfamily_oid=INT_FAMILY,
        collation=None,
        collation_default=True,
        descending=False,
        nulls_first=False,
        equal_image=True,
    )
    return replace(made, **changes)


def index(of: TableInfo, name: str, *columns: str | IndexKey, **changes: Any) -> IndexInfo:
    """A valid, unused B-tree of 100 kB."""
    made = IndexInfo(
        oid=next(_oids),
        table_oid=of.oid,
        schema=of.schema,
        name=name,
        method="btree",
        definition=f"CREATE INDEX {name} ON {of.schema}.{of.name} USING btree (…)",
        keys=tuple(key(column) if isinstance(column, str) else column for column in columns),
        include=(),
        unique=False,
        nulls_not_distinct=False,
        immediate=True,
        valid=True,
        ready=True,
        live=True,
        clustered=False,
        replica_identity=False,
        predicate=None,
        texts_known=True,
        constraint=None,
        parent_oid=None,
        referenced_by=(),
        options=(),
        tablespace=None,
        row_estimate=1000.0,
        size_bytes=100_000,
        scans=0,
        tuples_read=0,
        last_scan=None,
        blocks_touched=None,
        created_at=None,
    )
    return replace(made, **changes)


def foreign_key(child: TableInfo, parent: TableInfo, *columns: str, **changes: Any) -> ForeignKey:
    """An enforced key without actions."""
    made = ForeignKey(
        name=f"{child.name}_{'_'.join(columns)}_fkey",
        table_oid=child.oid,
        schema=child.schema,
        table=child.name,
        columns=columns,
        ref_table_oid=parent.oid,
        ref_schema=parent.schema,
        ref_table=parent.name,
        ref_columns=columns,
        operators=(INT_EQUAL,) * len(columns),
        on_delete="no action",
        on_update="no action",
        validated=True,
    )
    return replace(made, **changes)


def snapshot(*relations: TableInfo | IndexInfo | ForeignKey, **changes: Any) -> CatalogSnapshot:
    """A snapshot of the given relations."""
    made = CatalogSnapshot(
        snapshot_version=SNAPSHOT_VERSION,
        server=server(),
        tables=tuple(r for r in relations if isinstance(r, TableInfo)),
        indexes=tuple(r for r in relations if isinstance(r, IndexInfo)),
        foreign_keys=tuple(r for r in relations if isinstance(r, ForeignKey)),
        equality=(OperatorFamily(family_oid=INT_FAMILY, operator_oid=INT_EQUAL),),
        builds=(),
        statements=(),
        replicas=(),
        left_out=LeftOut(),
        skipped=(),
        collect_seconds=0.0,
        query_seconds=0.0,
        statements_sent=0,
    )
    return replace(made, **changes)
