"""The report of `dbvitals indexes`, from a snapshot and nothing else."""

from dbvitals.analyse import index_report as report
from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift_sql import rebuild_as_declared, rename
from dbvitals.analyse.index_findings import (
    findings,
    oversized_question,
    redundancy_action,
    redundancy_reason,
    reindex,
)
from dbvitals.analyse.proposals import Proposal, proposals
from dbvitals.analyse.recommend import recommend
from dbvitals.analyse.sql_text import drop_index, index_body, key_text, qualified, quote_ident
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.unused import Unused
from dbvitals.analyse.verdicts import Verdicts, judge
from dbvitals.analyse.workload import parser_available
from dbvitals.model import Evidence, Skipped, Target, Tool
from dbvitals.snapshot import CatalogSnapshot, IndexInfo, TableInfo


def analyse_indexes(
    snapshot: CatalogSnapshot,
    *,
    expected: CatalogSnapshot | None,
    thresholds: IndexThresholds,
    duration_seconds: float,
    tool_version: str,
    also_incomplete: tuple[Skipped, ...] = (),
) -> report.IndexReport:
    """Judge the indexes of a snapshot against the declared ones, if any. Pure: the same input, the same report."""
    catalog = Catalog(snapshot)
    verdicts = judge(catalog, Catalog(expected) if expected else None, thresholds)
    found = findings(verdicts)
    sections = _Sections(verdicts)
    server = snapshot.server
    return report.IndexReport(
        schema_version=report.SCHEMA_VERSION,
        tool=Tool(name="dbvitals", version=tool_version),
        generated_at=server.taken_at,
        duration_seconds=round(duration_seconds, 3),
        target=Target(
            host=server.host,
            port=server.port,
            database=server.database,
            user=server.user,
            server_version=server.version,
            role=server.role,
        ),
        cost=report.Cost(statements=snapshot.statements_sent, query_seconds=round(snapshot.query_seconds, 3)),
        summary=sections.summary(),
        existing_indexes=sections.existing,
        unused_indexes=sections.unused,
        duplicate_indexes=sections.duplicates,
        missing_indexes=sections.missing,
        drifted_indexes=sections.drifted,
        invalid_indexes=sections.invalid,
        bloated_indexes=sections.bloated,
        oversized_indexes=sections.oversized,
        table_statistics=sections.tables,
        findings=found,
        recommendations=recommend(found),
        incomplete=_incomplete(snapshot, also_incomplete),
    )


def _incomplete(snapshot: CatalogSnapshot, more: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
    parts = [*snapshot.skipped, *more]
    if snapshot.statements and not parser_available():
        why = "the SQL parser is not installed"
        parts.append(Skipped(part="missing indexes by workload", why=why, mend="pip install 'agente-hotelero[sql]'"))
    if snapshot.server.replicas_known is None and snapshot.server.role == "primary":
        why = "this login may not see whether the server has standbys, so no unused index is called droppable"
        parts.append(Skipped(part="replicas", why=why, mend="GRANT pg_monitor to the login"))
    elif len(snapshot.replicas) < (snapshot.server.replicas_known or 0):
        why = f"{snapshot.server.replicas_known} standby(s) known, {len(snapshot.replicas)} looked at"
        parts.append(Skipped(part="replicas", why=why, mend="give each one with --replica DSN"))
    if not snapshot.server.window.counting:
        why = "track_counts is off: nothing is known of the use of indexes"
        parts.append(Skipped(part="usage counters", why=why, mend="set track_counts = on"))
    return tuple(sorted(parts, key=lambda part: (part.part, part.why)))


class _Sections:
    """The report's lists, each from the verdicts of its kind."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.verdicts = verdicts
        self.catalog = verdicts.catalog
        self.existing = tuple(self._existing(index) for index in self._by_table(self.catalog.indexes))
        self.unused = tuple(self._unused(unused) for unused in verdicts.unused)
        self.duplicates = self._duplicates()
        self.missing = tuple(_missing(proposal) for proposal in proposals(verdicts))
        self.drifted = self._drifted()
        self.invalid = self._invalid()
        self.bloated = self._bloated()
        self.oversized = self._oversized()
        self.tables = tuple(_table(table) for table in self.catalog.roots)

    def summary(self) -> report.Summary:
        """Counts and bytes. An index that goes for two reasons gives its bytes back once."""
        verdicts = self.verdicts
        going = {u.index.oid: u.index.size_bytes for u in verdicts.unused if not u.kept_because}
        going |= {r.index.oid: r.index.size_bytes for r in verdicts.redundant if redundancy_action(verdicts, r)}
        going |= {i.index.oid: i.index.size_bytes for i in verdicts.invalid if i.state in ("leftover", "being dropped")}
        return report.Summary(
            total_indexes=len(self.existing),
            unused_indexes=len(self.unused),
            missing_indexes=len(self.missing),
            duplicate_indexes=len(self.duplicates),
            tables_analyzed=len(self.tables),
            drifted_indexes=len(self.drifted),
            invalid_indexes=len(self.invalid),
            bloated_indexes=len(self.bloated),
            oversized_indexes=len(self.oversized),
            total_index_bytes=sum(index.size_bytes for index in self.catalog.indexes),
            reclaimable_bytes=sum(going.values()) + sum(b.bytes for b in verdicts.bloated if b.index.oid not in going),
        )

    def _by_table(self, indexes: tuple[IndexInfo, ...]) -> list[IndexInfo]:
        return sorted(indexes, key=lambda i: (i.schema, self.catalog.table_of(i).name, i.name))

    def _existing(self, index: IndexInfo) -> report.ExistingIndex:
        table, constraint = self.catalog.table_of(index), index.constraint
        return report.ExistingIndex(
            schema=index.schema,
            table=table.name,
            index=index.name,
            definition=index.definition or _definition(index, table),
            columns=tuple(key_text(key) for key in index.keys),
            include=index.include,
            method=index.method,
            unique=index.unique,
            primary=constraint is not None and constraint.type == "primary",
            constraint=report.Constraint(name=constraint.name, type=constraint.type) if constraint else None,
            predicate=index.predicate,
            valid=index.valid,
            size_bytes=index.size_bytes,
            scans=index.scans,
            last_scan=index.last_scan,
            writes_since_reset=table.index_writes,
        )

    def _unused(self, unused: Unused) -> report.UnusedIndex:
        index = unused.index
        return report.UnusedIndex(
            schema=index.schema,
            table=self.catalog.table_of(index).name,
            index=index.name,
            scans=sum(node.scans for node in unused.nodes),
            size_bytes=index.size_bytes,
            stats_since=unused.since,
            observed_days=None if unused.observed is None else round(unused.observed.total_seconds() / 86400, 3),
            nodes=tuple(
                report.Node(name=node.node, scans=node.scans, stats_since=node.window.since) for node in unused.nodes
            ),
            droppable=not unused.kept_because,
            kept_because=unused.kept_because,
            sql=None if unused.kept_because else drop_index(self.catalog, index).statement,
        )

    def _duplicates(self) -> tuple[report.DuplicateIndex, ...]:
        ordered = sorted(
            self.verdicts.redundant, key=lambda r: (r.kind, -r.index.size_bytes, r.index.schema, r.index.name)
        )
        found = []
        for redundancy in ordered:
            action = redundancy_action(self.verdicts, redundancy)
            found.append(
                report.DuplicateIndex(
                    schema=redundancy.index.schema,
                    table=self.catalog.table_of(redundancy.index).name,
                    index=redundancy.index.name,
                    kept_index=redundancy.kept.name,
                    kind=redundancy.kind,
                    reason=redundancy_reason(self.verdicts, redundancy),
                    size_bytes=redundancy.index.size_bytes,
                    sql=action.statement if action else None,
                )
            )
        return tuple(found)

    def _drifted(self) -> tuple[report.DriftedIndex, ...]:
        found = [
            report.DriftedIndex(
                schema=drifted.table.schema,
                table=drifted.table.name,
                index=drifted.actual.name,
                expected=_definition(drifted.expected, drifted.table),
                actual=drifted.actual.definition,
                differences=drifted.differences,
                sql=rebuild_as_declared(self.catalog, drifted).statement,
            )
            for drifted in self.verdicts.drift.drifted
        ]
        found += [
            report.DriftedIndex(
                schema=absent.table.schema,
                table=absent.table.name,
                index=absent.same_as.name,
                expected=_definition(absent.index, absent.table),
                actual=absent.same_as.definition,
                differences=(f"name: expected {absent.index.name}, found {absent.same_as.name}",),
                sql=rename(absent).statement,
            )
            for absent in self.verdicts.drift.absent
            if absent.same_as is not None
        ]
        return tuple(sorted(found, key=lambda row: (row.schema, row.table, row.index)))

    def _invalid(self) -> tuple[report.InvalidIndex, ...]:
        return tuple(
            report.InvalidIndex(
                schema=invalid.index.schema,
                table=self.catalog.table_of(invalid.index).name,
                index=invalid.index.name,
                state=invalid.state,
                building=invalid.state == "building",
                size_bytes=invalid.index.size_bytes,
                reason=invalid.reason,
                sql=invalid.action.statement if invalid.action else None,
            )
            for invalid in self.verdicts.invalid
        )

    def _bloated(self) -> tuple[report.BloatedIndex, ...]:
        return tuple(
            report.BloatedIndex(
                schema=bloat.index.schema,
                table=self.catalog.tables[bloat.index.table_oid].name,
                index=bloat.index.name,
                size_bytes=bloat.index.size_bytes,
                expected_bytes=bloat.expected_bytes,
                bloat_bytes=bloat.bytes,
                bloat_percent=bloat.percent,
                sql=reindex(bloat.index).statement,
            )
            for bloat in self.verdicts.bloated
        )

    def _oversized(self) -> tuple[report.OversizedIndex, ...]:
        return tuple(
            report.OversizedIndex(
                schema=index.schema,
                table=self.catalog.table_of(index).name,
                index=index.name,
                size_bytes=index.size_bytes,
                table_bytes=self.catalog.table_of(index).table_bytes,
                scans=index.scans,
                question=oversized_question(self.verdicts, index),
            )
            for index in self.verdicts.oversized
        )


def _definition(index: IndexInfo, table: TableInfo) -> str:
    """What the server would print; made from the catalogue's facts where it could not be asked."""
    head = "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"
    where = f" WHERE {index.predicate}" if index.predicate else ""
    return f"{head} {quote_ident(index.name)} ON {qualified(table.schema, table.name)} {index_body(index)}{where}"


def _missing(proposal: Proposal) -> report.MissingIndex:
    return report.MissingIndex(
        schema=proposal.table.schema,
        table=proposal.table.name,
        columns=proposal.columns,
        index_name=proposal.name,
        sql=proposal.action.statement,
        priority=report.priority(proposal.severity),
        reason=proposal.reason,
        source=proposal.source,
        evidence="; ".join(_figure(evidence) for evidence in proposal.evidence),
    )


def _figure(evidence: Evidence) -> str:
    unit = f" {evidence.unit}" if evidence.unit and evidence.unit not in evidence.name else ""
    return f"{evidence.name}: {evidence.value}{unit}"


def _table(table: TableInfo) -> report.TableStatistics:
    return report.TableStatistics(
        schema=table.schema,
        table=table.name,
        row_estimate=max(-1, round(table.row_estimate)),
        total_bytes=table.total_bytes,
        table_bytes=table.table_bytes,
        index_bytes=table.index_bytes,
        seq_scans=table.seq_scans,
        idx_scans=table.idx_scans,
        inserts=table.inserts,
        updates=table.updates,
        hot_updates=table.hot_updates,
        deletes=table.deletes,
        live_tuples=table.live_tuples,
        dead_tuples=table.dead_tuples,
        last_vacuum=table.last_vacuum,
        last_autovacuum=table.last_autovacuum,
        last_analyze=table.last_analyze,
        last_autoanalyze=table.last_autoanalyze,
    )
