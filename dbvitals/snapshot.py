"""What was seen of a server: frozen values that go to JSON and come back. Collectors make them, analysers read them."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dbvitals.model import Skipped

SNAPSHOT_VERSION = "1.0"


class StatsWindow(Struct, frozen=True, kw_only=True):
    """Since when the usage counters of a node run.

    `since` is None when the server keeps no such time; `source` names the clock that decided it. A crash zeroes all
    counters and leaves `pg_stat_database.stats_reset` NULL, so the latest of every reset time is taken.
    """

    since: datetime | None
    source: str
    counting: bool = True


class ServerInfo(Struct, frozen=True, kw_only=True):
    """Which server, which database, who looked, and when (by the server's clock)."""

    version_num: int
    version: str
    host: str
    port: int
    database: str
    user: str
    role: Literal["primary", "replica"]
    taken_at: datetime
    block_size: int
    data_checksums: bool
    system_identifier: str | None
    replicas_known: int | None
    """Physical standbys that the node knows of (WAL senders and slots); None when the login may not see them."""
    window: StatsWindow

    @property
    def major(self) -> int:
        """Major version, as in 15."""
        return self.version_num // 10000


class ColumnStatistics(Struct, frozen=True, kw_only=True):
    """What ANALYZE knows of a column or index expression: bytes, distinct values as in pg_stats, share 0..1."""

    avg_width: int
    n_distinct: float
    null_frac: float


class ColumnInfo(Struct, frozen=True, kw_only=True):
    """A column that an index or a foreign key uses. `quoted` is its name as SQL text."""

    attnum: int
    name: str
    quoted: str
    type: str
    not_null: bool
    statistics: ColumnStatistics | None = None


class TableInfo(Struct, frozen=True, kw_only=True):
    """A table, partitioned table or materialised view, with its counters since the node's window began.

    Sizes are bytes; `sizes_estimated` says that they come from relpages because a lock could not be had.
    `row_estimate` is pg_class.reltuples, -1 when never vacuumed or analysed.
    """

    oid: int
    schema: str
    name: str
    kind: Literal["table", "partitioned", "matview"]
    unlogged: bool
    parent_oid: int | None
    row_estimate: float
    table_bytes: int
    index_bytes: int
    total_bytes: int
    sizes_estimated: bool
    locked: bool
    """Somebody holds or awaits ACCESS EXCLUSIVE on it: what would need a lock was not read."""
    replica_identity: Literal["default", "nothing", "full", "index"]
    seq_scans: int
    seq_tuples_read: int
    idx_scans: int
    inserts: int
    updates: int
    hot_updates: int
    deletes: int
    live_tuples: int
    dead_tuples: int
    last_vacuum: datetime | None
    last_autovacuum: datetime | None
    last_analyze: datetime | None
    last_autoanalyze: datetime | None
    columns: tuple[ColumnInfo, ...] = ()

    @property
    def index_writes(self) -> int:
        """Writes since the counters began that every index of the table has to follow: inserts and non-HOT updates."""
        return self.inserts + max(0, self.updates - self.hot_updates)


class IndexKey(Struct, frozen=True, kw_only=True):
    """One key column or expression of an index, as the catalogue holds it.

    `text` is what PostgreSQL prints for the column or expression; `column` the raw column name, None for an
    expression. `collation` is None for types without one. Names of operator classes, families and collations are
    schema-qualified unless they live in pg_catalog. `options` are the operator class's parameters (`siglen=32`).
    `equal_image` tells that equal keys are bitwise equal, so that a B-tree can deduplicate them. `statistics` are those
    of an expression; a column's are with its table.
    """

    text: str
    attnum: int
    column: str | None
    opclass: str
    opclass_default: bool
    opfamily: str
    opfamily_oid: int
    collation: str | None
    collation_default: bool
    descending: bool
    nulls_first: bool
    options: str = ""
    equal_image: bool = False
    statistics: ColumnStatistics | None = None


class IndexConstraint(Struct, frozen=True, kw_only=True):
    """The constraint that an index backs."""

    name: str
    type: Literal["primary", "unique", "exclusion"]
    deferrable: bool = False


class IndexInfo(Struct, frozen=True, kw_only=True):
    """An index as the catalogue and the counters hold it. Sizes are bytes, counts run since the node's window began.

    `definition`, expressions and `predicate` (None when not partial) are the server's own rendering; `texts_known` is
    False when they could not be read because the table was locked: then nothing can be judged by them.
    `referenced_by` lists the foreign keys (`schema.table.name`) that need this very index. `blocks_touched` counts
    buffer accesses; None when the server does not tell. `parent_oid` is the partitioned index that it is attached to.
    """

    oid: int
    table_oid: int
    schema: str
    name: str
    method: str
    definition: str
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...]
    unique: bool
    nulls_not_distinct: bool
    immediate: bool
    valid: bool
    ready: bool
    live: bool
    clustered: bool
    replica_identity: bool
    predicate: str | None
    texts_known: bool
    constraint: IndexConstraint | None
    parent_oid: int | None
    referenced_by: tuple[str, ...]
    options: tuple[str, ...]
    tablespace: str | None
    row_estimate: float
    size_bytes: int
    scans: int
    tuples_read: int
    last_scan: datetime | None
    blocks_touched: int | None
    created_at: datetime | None

    @property
    def is_expression(self) -> bool:
        """Whether a key is computed rather than stored."""
        return any(key.column is None for key in self.keys)


class ForeignKey(Struct, frozen=True, kw_only=True):
    """A foreign key; partitions' inherited copies are left out. Names are raw, columns in the constraint's order.

    `operators` are the OIDs of the operators (pg_constraint.conpfeqop) with which the server looks up referencing
    rows; `plain` tells that a B-tree on the columns themselves serves that look-up, which it does not when the server
    has to convert the columns first.
    """

    name: str
    table_oid: int
    schema: str
    table: str
    columns: tuple[str, ...]
    ref_table_oid: int
    ref_schema: str
    ref_table: str
    ref_columns: tuple[str, ...]
    operators: tuple[int, ...]
    on_delete: Literal["no action", "restrict", "cascade", "set null", "set default"]
    on_update: Literal["no action", "restrict", "cascade", "set null", "set default"]
    validated: bool
    enforced: bool = True
    plain: bool = True


class OperatorFamily(Struct, frozen=True, kw_only=True):
    """An operator of a foreign key that an operator family can search by."""

    family_oid: int
    operator_oid: int


class IndexBuild(Struct, frozen=True, kw_only=True):
    """An index build that runs right now (pg_stat_progress_create_index)."""

    pid: int
    table_oid: int
    index_oid: int | None
    phase: str
    done_percent: float | None


class StatementStat(Struct, frozen=True, kw_only=True):
    """A normalised statement of pg_stat_statements. Times are milliseconds. The text never reaches a report."""

    queryid: int
    query: str
    calls: int
    total_ms: float
    rows: int


class NodeUsage(Struct, frozen=True, kw_only=True):
    """Index scans of another node of the same cluster, by index OID (equal on physical replicas)."""

    node: str
    role: Literal["primary", "replica"]
    window: StatsWindow
    scans: dict[int, int]


class LeftOut(Struct, frozen=True, kw_only=True):
    """How many relations were left out on purpose."""

    temporary: int = 0
    extension_owned: int = 0


class CatalogSnapshot(Struct, frozen=True, kw_only=True):
    """The tables and indexes of one database, in one moment. Everything is sorted by schema, table, name."""

    snapshot_version: str
    server: ServerInfo
    tables: tuple[TableInfo, ...]
    indexes: tuple[IndexInfo, ...]
    foreign_keys: tuple[ForeignKey, ...]
    equality: tuple[OperatorFamily, ...]
    builds: tuple[IndexBuild, ...]
    statements: tuple[StatementStat, ...]
    replicas: tuple[NodeUsage, ...]
    left_out: LeftOut
    skipped: tuple[Skipped, ...]
    collect_seconds: float
    query_seconds: float
    statements_sent: int
