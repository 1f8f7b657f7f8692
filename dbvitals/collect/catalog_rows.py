"""Turns rows of the catalogue queries into the frozen values of a snapshot."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg

from dbvitals.collect.reader import Row
from dbvitals.snapshot import (
    ColumnInfo,
    ColumnStatistics,
    ForeignKey,
    IndexBuild,
    IndexConstraint,
    IndexInfo,
    IndexKey,
    OperatorFamily,
    ServerInfo,
    StatementStat,
    StatsWindow,
    TableInfo,
)

_DESCENDING, _NULLS_FIRST = 1, 2
"""Bits of pg_index.indoption."""

_KINDS: dict[str, Literal["table", "partitioned", "matview"]] = {
    "r": "table",
    "p": "partitioned",
    "m": "matview",
}
_IDENTITIES: dict[str, Literal["default", "nothing", "full", "index"]] = {
    "d": "default",
    "n": "nothing",
    "f": "full",
    "i": "index",
}
_CONSTRAINTS: dict[str, Literal["primary", "unique", "exclusion"]] = {
    "p": "primary",
    "u": "unique",
    "x": "exclusion",
}
_FK_ACTIONS: dict[str, Literal["no action", "restrict", "cascade", "set null", "set default"]] = {
    "a": "no action",
    "r": "restrict",
    "c": "cascade",
    "n": "set null",
    "d": "set default",
}


def server(row: Row, database_created: datetime | None, info: psycopg.ConnectionInfo) -> ServerInfo:
    """Who answered, and since when its counters run."""
    return ServerInfo(
        version_num=row.version_num,
        version=row.version.split()[0],
        host=info.host,
        port=info.port,
        database=row.database,
        user=row.user,
        role="replica" if row.in_recovery else "primary",
        taken_at=row.taken_at,
        block_size=row.block_size,
        data_checksums=row.data_checksums,
        system_identifier=row.system_identifier,
        replicas_known=row.replicas_known,
        window=window(row, database_created),
    )


def window(row: Row, database_created: datetime | None) -> StatsWindow:
    """The counters' window: it began at the latest of the database's reset, the cluster's, and its creation.

    pg_stat_database.stats_reset alone is not enough: it is NULL after a crash, which zeroes all counters; the shared
    counters (WAL, SLRU, background writer) carry the time of that.
    """
    clocks = {
        "statistics reset of the database": row.database_reset,
        "statistics reset of the cluster, or a crash": row.cluster_reset,
        "creation of the database": database_created,
    }
    known = {source: at for source, at in clocks.items() if at is not None}
    if not known:
        return StatsWindow(since=None, source="unknown", counting=row.counting)
    source = max(known, key=lambda name: (known[name], name))
    return StatsWindow(since=known[source], source=source, counting=row.counting)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexContext:
    """What an index row refers to, by OID."""

    opclasses: Mapping[int, Row]
    collations: Mapping[int, Row]
    columns: Mapping[int, Mapping[int, Row]]
    texts: Mapping[int, Row]
    sizes: Mapping[int, int]
    statistics: Mapping[tuple[int, int], ColumnStatistics]
    referenced_by: Mapping[int, tuple[str, ...]]
    nulls_not_distinct: Collection[int]
    last_scans: Mapping[int, object]
    block_size: int


def indexes(index_rows: Iterable[Row], context: IndexContext) -> tuple[IndexInfo, ...]:
    """All indexes, sorted by schema and name."""
    return tuple(sorted((_index(row, context) for row in index_rows), key=lambda index: (index.schema, index.name)))


def _index(row: Row, context: IndexContext) -> IndexInfo:
    columns = context.columns.get(row.table_oid, {})
    text = context.texts.get(row.oid)
    return IndexInfo(
        oid=row.oid,
        table_oid=row.table_oid,
        schema=row.schema,
        name=row.name,
        method=row.method,
        definition=text.definition if text else "",
        keys=_keys(row, columns, text, context),
        include=tuple(columns[attnum].name for attnum in row.attnums[row.key_count :]),
        unique=row.is_unique,
        nulls_not_distinct=row.oid in context.nulls_not_distinct,
        immediate=row.immediate,
        valid=row.valid,
        ready=row.ready,
        live=row.live,
        clustered=row.clustered,
        replica_identity=row.replica_identity,
        predicate=text.predicate if text else None,
        texts_known=text is not None,
        constraint=_constraint(row),
        parent_oid=row.parent_oid,
        referenced_by=context.referenced_by.get(row.oid, ()),
        options=tuple(sorted(row.options)),
        tablespace=row.tablespace,
        row_estimate=row.row_estimate,
        size_bytes=context.sizes.get(row.oid, row.pages * context.block_size),
        scans=row.scans,
        tuples_read=row.tuples_read,
        last_scan=context.last_scans.get(row.oid),  # type: ignore[arg-type]
        blocks_touched=row.blocks_touched,
        created_at=row.created_at,
    )


def _constraint(row: Row) -> IndexConstraint | None:
    if row.constraint_name is None:
        return None
    return IndexConstraint(name=row.constraint_name, type=_CONSTRAINTS[row.constraint_type], deferrable=row.deferrable)


def _keys(row: Row, columns: Mapping[int, Row], text: Row | None, context: IndexContext) -> tuple[IndexKey, ...]:
    expressions = iter(text.expressions or () if text else ())
    options = dict(entry.split(" ", 1) for entry in row.key_options or ())
    keys = []
    for position in range(row.key_count):
        attnum = row.attnums[position]
        column = columns.get(attnum)
        opclass = context.opclasses[row.opclasses[position]]
        collation = context.collations.get(row.collations[position])
        own_collation = column.collation_oid if column else _DEFAULT_COLLATION
        keys.append(
            IndexKey(
                text=column.quoted if column else next(expressions, "(expression not read)"),
                attnum=attnum,
                column=column.name if column else None,
                opclass=opclass.name,
                opclass_default=opclass.is_default,
                opfamily=opclass.family,
                opfamily_oid=opclass.family_oid,
                collation=collation.name if collation else None,
                collation_default=collation is None or collation.oid == own_collation,
                descending=bool(row.flags[position] & _DESCENDING),
                nulls_first=bool(row.flags[position] & _NULLS_FIRST),
                options=options.get(str(position + 1), ""),
                equal_image=opclass.equal_image and (collation is None or collation.deterministic),
                statistics=context.statistics.get((row.oid, position + 1)) if column is None else None,
            )
        )
    return tuple(keys)


_DEFAULT_COLLATION = 100
"""OID of pg_catalog."default": what an expression's key has unless it says otherwise."""


def columns_by_table(column_rows: Iterable[Row]) -> dict[int, dict[int, Row]]:
    """Column rows by table OID, then attribute number."""
    found: dict[int, dict[int, Row]] = defaultdict(dict)
    for row in column_rows:
        found[row.table_oid][row.attnum] = row
    return found


def statistics(statistic_rows: Iterable[Row]) -> dict[tuple[int, int], ColumnStatistics]:
    """Statistics by relation OID and attribute number."""
    return {
        (row.relation_oid, row.attnum): ColumnStatistics(
            avg_width=row.avg_width, n_distinct=row.n_distinct, null_frac=row.null_frac
        )
        for row in statistic_rows
    }


def tables(
    table_rows: Iterable[Row],
    index_infos: Iterable[IndexInfo],
    columns: Mapping[int, Mapping[int, Row]],
    statistics: Mapping[tuple[int, int], ColumnStatistics],
    sizes: Mapping[int, int],
    locked: Collection[int],
    block_size: int,
) -> tuple[TableInfo, ...]:
    """All tables, sorted by schema and name, with the sums of their indexes."""
    index_bytes: dict[int, int] = defaultdict(int)
    index_scans: dict[int, int] = defaultdict(int)
    for index in index_infos:
        index_bytes[index.table_oid] += index.size_bytes
        index_scans[index.table_oid] += index.scans
    found = []
    for row in table_rows:
        own = sizes.get(row.oid, (row.pages + row.toast_pages) * block_size)
        found.append(
            TableInfo(
                oid=row.oid,
                schema=row.schema,
                name=row.name,
                kind=_KINDS[row.kind],
                unlogged=row.persistence == "u",
                parent_oid=row.parent_oid,
                row_estimate=row.row_estimate,
                table_bytes=own,
                index_bytes=index_bytes[row.oid],
                total_bytes=own + index_bytes[row.oid],
                sizes_estimated=row.oid not in sizes,
                locked=row.oid in locked,
                replica_identity=_IDENTITIES[row.replica_identity],
                seq_scans=row.seq_scans,
                seq_tuples_read=row.seq_tuples_read,
                idx_scans=index_scans[row.oid],
                inserts=row.inserts,
                updates=row.updates,
                hot_updates=row.hot_updates,
                deletes=row.deletes,
                live_tuples=row.live_tuples,
                dead_tuples=row.dead_tuples,
                last_vacuum=row.last_vacuum,
                last_autovacuum=row.last_autovacuum,
                last_analyze=row.last_analyze,
                last_autoanalyze=row.last_autoanalyze,
                columns=tuple(_column(row.oid, column, statistics) for column in columns.get(row.oid, {}).values()),
            )
        )
    return tuple(sorted(found, key=lambda table: (table.schema, table.name)))


def _column(table_oid: int, row: Row, statistics: Mapping[tuple[int, int], ColumnStatistics]) -> ColumnInfo:
    return ColumnInfo(
        attnum=row.attnum,
        name=row.name,
        quoted=row.quoted,
        type=row.type,
        not_null=row.not_null,
        statistics=statistics.get((table_oid, row.attnum)),
    )


def foreign_keys(key_rows: Iterable[Row], not_enforced: Collection[tuple[int, str]]) -> tuple[ForeignKey, ...]:
    """The foreign keys as they were declared, without the copies that partitions carry."""
    return tuple(
        ForeignKey(
            name=row.name,
            table_oid=row.table_oid,
            schema=row.schema,
            table=row.table,
            columns=tuple(row.columns),
            ref_table_oid=row.ref_table_oid,
            ref_schema=row.ref_schema,
            ref_table=row.ref_table,
            ref_columns=tuple(row.ref_columns),
            operators=tuple(row.operators),
            on_delete=_FK_ACTIONS[row.on_delete],
            on_update=_FK_ACTIONS[row.on_update],
            validated=row.validated,
            enforced=(row.table_oid, row.name) not in not_enforced,
            plain=row.plain,
        )
        for row in key_rows
        if not row.inherited
    )


def referenced_by(key_rows: Iterable[Row]) -> dict[int, tuple[str, ...]]:
    """For each index that a foreign key needs on its referenced side: the names of these keys."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in key_rows:
        found[row.ref_index_oid].append(f"{row.schema}.{row.table}.{row.name}")
    return {oid: tuple(sorted(names)) for oid, names in found.items()}


def equality(operator_rows: Iterable[Row]) -> tuple[OperatorFamily, ...]:
    """Which families search by which equality operators."""
    return tuple(OperatorFamily(family_oid=row.family_oid, operator_oid=row.operator_oid) for row in operator_rows)


def builds(build_rows: Iterable[Row]) -> tuple[IndexBuild, ...]:
    """Index builds that run now."""
    return tuple(
        IndexBuild(
            pid=row.pid,
            table_oid=row.table_oid,
            index_oid=row.index_oid,
            phase=row.phase,
            done_percent=row.done_percent,
        )
        for row in build_rows
    )


def statements(statement_rows: Sequence[Row]) -> tuple[StatementStat, ...]:
    """Normalised statements whose text this login may see."""
    return tuple(
        StatementStat(
            queryid=row.queryid,
            query=row.query,
            calls=row.calls,
            total_ms=round(row.total_ms, 3),
            rows=row.rows,
        )
        for row in statement_rows
        if row.query != "<insufficient privilege>"
    )
