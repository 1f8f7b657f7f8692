"""Hand-built index reports: a hotel with something in every section, hostile names, nothing at all."""

from datetime import UTC, datetime

from msgspec.structs import replace

from dbvitals.analyse.index_report import (
    BloatedIndex,
    Constraint,
    Cost,
    DriftedIndex,
    DuplicateIndex,
    ExistingIndex,
    IndexReport,
    InvalidIndex,
    MissingIndex,
    Node,
    OversizedIndex,
    Summary,
    TableStatistics,
    UnusedIndex,
)
from dbvitals.model import Action, Confidence, Finding, Recommendation, Ref, Severity, Skipped, Target, Tool

COST = Cost(statements=19, query_seconds=0.05)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIB = 1024 * 1024
HOSTILE = 'a|b`c`<script>alert("1")</script>\n[red]\x1b[31m\u202eevil'
EMOJI = "🏨" * 15


def empty() -> IndexReport:
    """A report of a database in which nothing is wrong, because there is nothing in it."""
    return IndexReport(
        schema_version="1.0",
        tool=Tool(name="dbvitals", version="0.1.0"),
        generated_at=NOON,
        duration_seconds=0.42,
        target=Target(
            host="localhost",
            port=5432,
            database="agente_hotel",
            user="admin",
            server_version="15.20",
            role="primary",
        ),
        cost=COST,
        summary=Summary(
            total_indexes=0,
            unused_indexes=0,
            missing_indexes=0,
            duplicate_indexes=0,
            tables_analyzed=0,
            drifted_indexes=0,
            invalid_indexes=0,
            bloated_indexes=0,
            oversized_indexes=0,
            total_index_bytes=0,
            reclaimable_bytes=0,
        ),
        existing_indexes=(),
        unused_indexes=(),
        duplicate_indexes=(),
        missing_indexes=(),
        drifted_indexes=(),
        invalid_indexes=(),
        bloated_indexes=(),
        oversized_indexes=(),
        table_statistics=(),
        findings=(),
        recommendations=(),
        incomplete=(),
    )


def finding(severity: Severity, rule: str, name: str, message: str, statement: str = "") -> Finding:
    """A finding about an index of audit_logs."""
    action = Action(
        summary="mend it", statement=statement, lock="ShareUpdateExclusiveLock", takes="a minute", reversible=True
    )
    return Finding(
        rule=rule,
        severity=severity,
        subject=Ref(kind="index", schema="public", name=name, table="audit_logs"),
        message=message,
        confidence=Confidence.CERTAIN,
        action=action if statement else None,
    )


def existing(name: str, columns: tuple[str, ...], size: int, *, primary: bool = False) -> ExistingIndex:
    """An index of audit_logs."""
    return ExistingIndex(
        schema="public",
        table="audit_logs",
        index=name,
        definition=f"CREATE INDEX {name} ON audit_logs ({', '.join(columns)})",
        columns=columns,
        include=(),
        method="btree",
        unique=primary,
        primary=primary,
        constraint=Constraint(name=name, type="primary") if primary else None,
        predicate=None,
        valid=True,
        size_bytes=size,
        scans=123_456,
        last_scan=None,
        writes_since_reset=10,
    )


CREATE = (
    "CREATE INDEX CONCURRENTLY idx_audit_logs_tenant_id_timestamp ON public.audit_logs (tenant_id, timestamp DESC);"
)
DROP = "DROP INDEX CONCURRENTLY public.idx_audit_logs_tenant_id;"


def hotel() -> IndexReport:
    """A report with something in every section, and a part that could not be seen."""
    return replace(
        empty(),
        summary=Summary(
            total_indexes=15,
            unused_indexes=2,
            missing_indexes=1,
            duplicate_indexes=1,
            tables_analyzed=8,
            drifted_indexes=1,
            invalid_indexes=1,
            bloated_indexes=1,
            oversized_indexes=1,
            total_index_bytes=412 * MIB,
            reclaimable_bytes=37 * MIB,
        ),
        existing_indexes=(
            existing("audit_logs_pkey", ("tenant_id", "id"), 96 * MIB, primary=True),
            existing("idx_audit_logs_user_id_timestamp", ("user_id", "timestamp DESC"), 120 * MIB),
        ),
        missing_indexes=(
            MissingIndex(
                schema="public",
                table="audit_logs",
                columns="tenant_id, timestamp",
                index_name="idx_audit_logs_tenant_id_timestamp",
                sql=CREATE,
                priority="high",
                reason="declared by the models and absent",
                source="declared",
                evidence="app.expectations:expectations",
            ),
        ),
        drifted_indexes=(
            DriftedIndex(
                schema="public",
                table="sessions",
                index="idx_sessions_state",
                expected="CREATE INDEX … WHERE state = 'active'",
                actual="CREATE INDEX …",
                differences=("predicate: expected (state = 'active'), found none",),
                sql="",
            ),
        ),
        duplicate_indexes=(
            DuplicateIndex(
                schema="public",
                table="audit_logs",
                index="idx_audit_logs_tenant_id",
                kept_index="audit_logs_pkey",
                kind="prefix",
                reason="(tenant_id) is the beginning of (tenant_id, id), same order and operator class",
                size_bytes=14 * MIB,
                sql=DROP,
            ),
        ),
        unused_indexes=(
            UnusedIndex(
                schema="public",
                table="locks",
                index="idx_locks_old",
                scans=0,
                size_bytes=9 * MIB,
                stats_since=NOON,
                observed_days=31.5,
                nodes=(Node(name="primary", scans=0, stats_since=NOON),),
                droppable=True,
                kept_because=(),
                sql="DROP INDEX CONCURRENTLY public.idx_locks_old;",
            ),
            UnusedIndex(
                schema="billing",
                table="invoices",
                index="invoices_number_key",
                scans=0,
                size_bytes=MIB,
                stats_since=None,
                observed_days=None,
                nodes=(),
                droppable=False,
                kept_because=("unique_constraint", "too_young"),
                sql=None,
            ),
        ),
        invalid_indexes=(
            InvalidIndex(
                schema="public",
                table="sessions",
                index="idx_sessions_ccnew",
                state="invalid",
                building=False,
                size_bytes=4 * MIB,
                reason="left behind by a REINDEX CONCURRENTLY that failed",
                sql="DROP INDEX CONCURRENTLY public.idx_sessions_ccnew;",
            ),
        ),
        bloated_indexes=(
            BloatedIndex(
                schema="public",
                table="locks",
                index="idx_locks_resource_tenant_id",
                size_bytes=16 * MIB,
                expected_bytes=6 * MIB,
                bloat_bytes=10 * MIB,
                bloat_percent=62.5,
                sql="REINDEX INDEX CONCURRENTLY public.idx_locks_resource_tenant_id;",
            ),
        ),
        oversized_indexes=(
            OversizedIndex(
                schema="public",
                table="audit_logs",
                index="idx_audit_logs_user_id_timestamp",
                size_bytes=120 * MIB,
                table_bytes=800 * MIB,
                scans=123_456,
                question="would a BRIN index on timestamp do?",
            ),
        ),
        table_statistics=(
            TableStatistics(
                schema="public",
                table="audit_logs",
                row_estimate=-1,
                total_bytes=1200 * MIB,
                table_bytes=800 * MIB,
                index_bytes=400 * MIB,
                seq_scans=12,
                idx_scans=1_234_567,
                inserts=2_000_000,
                updates=0,
                hot_updates=0,
                deletes=0,
                live_tuples=2_000_000,
                dead_tuples=0,
                last_vacuum=None,
                last_autovacuum=NOON,
                last_analyze=None,
                last_autoanalyze=None,
            ),
        ),
        findings=(
            finding(
                Severity.HIGH,
                "IDX001",
                "idx_audit_logs_tenant_id_timestamp",
                "audit_logs (tenant_id, timestamp DESC) is declared by the models, but the database has no such index",
                CREATE,
            ),
            finding(
                Severity.MEDIUM,
                "IDX004",
                "idx_audit_logs_tenant_id",
                "audit_logs_pkey does everything that this index does",
                DROP,
            ),
            finding(
                Severity.INFO, "IDX007", "invoices_number_key", "no scan seen, but it must stay: unique constraint"
            ),
        ),
        recommendations=(
            Recommendation(
                severity=Severity.HIGH,
                category="missing_indexes",
                message="Add missing composite indexes on critical tables to improve query performance",
                action="Review missing_indexes section and execute CREATE INDEX statements",
            ),
        ),
        incomplete=(
            Skipped(
                part="workload", why="pg_stat_statements is not installed", mend="CREATE EXTENSION pg_stat_statements"
            ),
        ),
    )


def hostile() -> IndexReport:
    """A report whose names try to break out of every format."""
    return replace(
        empty(),
        summary=replace(empty().summary, total_indexes=2, tables_analyzed=1, duplicate_indexes=1),
        duplicate_indexes=(
            DuplicateIndex(
                schema='q"uote, comma',
                table=HOSTILE,
                index=HOSTILE,
                kept_index=EMOJI,
                kind="exact",
                reason="both are the same",
                size_bytes=8192,
                sql=None,
            ),
        ),
        findings=(finding(Severity.CRITICAL, "IDX004", HOSTILE, f"{EMOJI} serves all", f'DROP INDEX "{HOSTILE}";'),),
    )
