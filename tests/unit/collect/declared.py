"""A real side for declarations to be compared with, built without a server."""

import zlib
from datetime import UTC, datetime

from msgspec.structs import replace

from dbvitals.collect.expected_blank import blank_index, blank_key, blank_table
from dbvitals.snapshot import (
    SNAPSHOT_VERSION,
    CatalogSnapshot,
    IndexInfo,
    IndexKey,
    LeftOut,
    ServerInfo,
    StatsWindow,
    TableInfo,
)

SERVER = ServerInfo(
    version_num=180006,
    version="18.6",
    host="localhost",
    port=5432,
    database="hotel",
    user="reader",
    role="primary",
    taken_at=datetime(2026, 11, 23, tzinfo=UTC),
    block_size=8192,
    data_checksums=True,
    system_identifier=None,
    replicas_known=0,
    window=StatsWindow(since=None, source="unknown"),
)

GUESTS = blank_table("public", "guests", oid=1)


def column(name: str, opclass: str = "text_ops") -> IndexKey:
    """A key on a column, as the catalogue reader gives it."""
    return replace(blank_key(name, name), opclass=opclass, collation='"default"')


def index(name: str, *keys: IndexKey, predicate: str | None = None) -> IndexInfo:
    """A B-tree index of the table `guests`."""
    return blank_index(GUESTS, name, oid=zlib.crc32(name.encode()), method="btree", keys=keys, predicate=predicate)


def real(*indexes: IndexInfo, tables: tuple[TableInfo, ...] = (GUESTS,)) -> CatalogSnapshot:
    """What was seen of a database."""
    return CatalogSnapshot(
        snapshot_version=SNAPSHOT_VERSION,
        server=SERVER,
        tables=tables,
        indexes=indexes,
        foreign_keys=(),
        equality=(),
        builds=(),
        statements=(),
        replicas=(),
        left_out=LeftOut(),
        skipped=(),
        collect_seconds=0,
        query_seconds=0,
        statements_sent=0,
    )
