"""Tables and indexes of which nothing is known but the declaration: no size, no use, no OID of a server."""

from typing import Any

from dbvitals.snapshot import IndexInfo, IndexKey, TableInfo


def blank_table(schema: str, name: str, *, oid: int) -> TableInfo:
    """A declared table that does not exist."""
    return TableInfo(
        oid=oid,
        schema=schema,
        name=name,
        kind="table",
        unlogged=False,
        parent_oid=None,
        row_estimate=-1,
        table_bytes=0,
        index_bytes=0,
        total_bytes=0,
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
        live_tuples=0,
        dead_tuples=0,
        last_vacuum=None,
        last_autovacuum=None,
        last_analyze=None,
        last_autoanalyze=None,
    )


def blank_index(table: TableInfo, name: str, *, oid: int, **declared: Any) -> IndexInfo:
    """A valid index of the table; `declared` are the fields of IndexInfo that the declaration decides."""
    nothing: dict[str, Any] = {
        "definition": "",
        "include": (),
        "unique": False,
        "nulls_not_distinct": False,
        "immediate": True,
        "predicate": None,
        "constraint": None,
        "options": (),
    }
    return IndexInfo(
        oid=oid,
        table_oid=table.oid,
        schema=table.schema,
        name=name,
        valid=True,
        ready=True,
        live=True,
        clustered=False,
        replica_identity=False,
        texts_known=True,
        parent_oid=None,
        referenced_by=(),
        tablespace=None,
        row_estimate=-1,
        size_bytes=0,
        scans=0,
        tuples_read=0,
        last_scan=None,
        blocks_touched=None,
        created_at=None,
        **(nothing | declared),
    )


def blank_key(text: str, column: str | None) -> IndexKey:
    """A key with everything left to the server."""
    return IndexKey(
        text=text,
        attnum=0,
        column=column,
        opclass="",
        opclass_default=True,
        opfamily="",
        opfamily_oid=0,
        collation=None,
        collation_default=True,
        descending=False,
        nulls_first=False,
    )
