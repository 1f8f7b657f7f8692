"""The report of `dbvitals indexes`: the sections of .playbook/index_analysis.json, as specified in docs/schemas."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from dbvitals.model import Finding, Recommendation, Severity, Skipped, Target, Tool

SCHEMA_VERSION = "1.0"

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time, with its offset: RFC 3339 in JSON."""


class Summary(Struct, frozen=True, kw_only=True):
    """Counts, and bytes in all. `reclaimable_bytes`: what droppable, duplicate, invalid and bloated indexes hold."""

    total_indexes: int
    unused_indexes: int
    missing_indexes: int
    duplicate_indexes: int
    tables_analyzed: int
    drifted_indexes: int
    invalid_indexes: int
    bloated_indexes: int
    oversized_indexes: int
    total_index_bytes: int
    reclaimable_bytes: int


class Cost(Struct, frozen=True, kw_only=True):
    """What the look itself cost the server: statements sent, and seconds until they were answered."""

    statements: int
    query_seconds: float


class Constraint(Struct, frozen=True, kw_only=True):
    """The constraint that an index backs."""

    name: str
    type: Literal["primary", "unique", "exclusion"]


class ExistingIndex(Struct, frozen=True, kw_only=True):
    """One index; partitions' parts are folded under the index of their parent, sizes and scans summed.

    `columns` are the keys as PostgreSQL prints them, with ` DESC`, ` NULLS …`, operator class or collation where not
    default. `writes_since_reset` counts inserts and non-HOT updates that the index had to follow.
    """

    schema: str
    table: str
    index: str
    definition: str
    columns: tuple[str, ...]
    include: tuple[str, ...]
    method: str
    unique: bool
    primary: bool
    constraint: Constraint | None
    predicate: str | None
    valid: bool
    size_bytes: int
    scans: int
    last_scan: Moment | None
    writes_since_reset: int


class Node(Struct, frozen=True, kw_only=True):
    """A node whose scans were counted, and since when."""

    name: str
    scans: int
    stats_since: Moment | None


class UnusedIndex(Struct, frozen=True, kw_only=True):
    """An index that no node has scanned since its counters began. `sql` only when it is droppable.

    `observed_days` is the shortest window of all nodes, None when unknown.
    """

    schema: str
    table: str
    index: str
    scans: int
    size_bytes: int
    stats_since: Moment | None
    observed_days: float | None
    nodes: tuple[Node, ...]
    droppable: bool
    kept_because: tuple[str, ...]
    sql: str | None


class DuplicateIndex(Struct, frozen=True, kw_only=True):
    """An index whose work another one does too. `reason` is the proof in words."""

    schema: str
    table: str
    index: str
    kept_index: str
    kind: Literal["exact", "prefix"]
    reason: str
    size_bytes: int
    sql: str | None


class MissingIndex(Struct, frozen=True, kw_only=True):
    """An index that should be there. `columns` is the guide's text: `tenant_id, timestamp`."""

    schema: str
    table: str
    columns: str
    index_name: str
    sql: str
    priority: Literal["high", "medium", "info"]
    reason: str
    source: Literal["declared", "foreign_key", "workload"]
    evidence: str


class DriftedIndex(Struct, frozen=True, kw_only=True):
    """An index that is there, but not as declared. `differences` name what: `predicate: expected …, found …`."""

    schema: str
    table: str
    index: str
    expected: str
    actual: str
    differences: tuple[str, ...]
    sql: str


class InvalidIndex(Struct, frozen=True, kw_only=True):
    """An index that queries cannot use. `building`: a build of it is running now, so it is not broken."""

    schema: str
    table: str
    index: str
    state: str
    building: bool
    size_bytes: int
    reason: str
    sql: str | None


class BloatedIndex(Struct, frozen=True, kw_only=True):
    """A B-tree that is larger than a fresh one would be. `expected_bytes` is an estimate (deduplication counted)."""

    schema: str
    table: str
    index: str
    size_bytes: int
    expected_bytes: int
    bloat_bytes: int
    bloat_percent: float
    sql: str


class OversizedIndex(Struct, frozen=True, kw_only=True):
    """An index above the size to review, and the question to ask of it."""

    schema: str
    table: str
    index: str
    size_bytes: int
    table_bytes: int
    scans: int
    question: str


class TableStatistics(Struct, frozen=True, kw_only=True):
    """A table's size and traffic since the counters began; partitions are summed into their parent."""

    schema: str
    table: str
    row_estimate: int
    total_bytes: int
    table_bytes: int
    index_bytes: int
    seq_scans: int
    idx_scans: int
    inserts: int
    updates: int
    hot_updates: int
    deletes: int
    live_tuples: int
    dead_tuples: int
    last_vacuum: Moment | None
    last_autovacuum: Moment | None
    last_analyze: Moment | None
    last_autoanalyze: Moment | None


class IndexReport(Struct, frozen=True, kw_only=True):
    """The whole report. Lists are sorted by importance, then name."""

    schema_version: str
    tool: Tool
    generated_at: Moment
    duration_seconds: float
    target: Target
    cost: Cost
    summary: Summary
    existing_indexes: tuple[ExistingIndex, ...]
    unused_indexes: tuple[UnusedIndex, ...]
    duplicate_indexes: tuple[DuplicateIndex, ...]
    missing_indexes: tuple[MissingIndex, ...]
    drifted_indexes: tuple[DriftedIndex, ...]
    invalid_indexes: tuple[InvalidIndex, ...]
    bloated_indexes: tuple[BloatedIndex, ...]
    oversized_indexes: tuple[OversizedIndex, ...]
    table_statistics: tuple[TableStatistics, ...]
    findings: tuple[Finding, ...]
    recommendations: tuple[Recommendation, ...]
    incomplete: tuple[Skipped, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None when there is none."""
        return min((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)


def priority(severity: Severity) -> Literal["high", "medium", "info"]:
    """The guide's three priorities of a missing index."""
    if severity in (Severity.CRITICAL, Severity.HIGH):
        return "high"
    return "medium" if severity is Severity.MEDIUM else "info"
