"""Missing indexes, from whatever shows that they are missing, as one kind of proposal with its SQL."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Absent
from dbvitals.analyse.drift_sql import create_declared
from dbvitals.analyse.foreign_keys import UnsupportedKey
from dbvitals.analyse.sql_text import create_index, free_name, qualified, quote_ident
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.verdicts import Verdicts
from dbvitals.analyse.workload import WorkloadNeed
from dbvitals.model import Action, Evidence, Severity
from dbvitals.snapshot import TableInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An index to create. `columns` is the guide's text; `evidence` the figures behind it."""

    rule: str
    severity: Severity
    table: TableInfo
    name: str
    columns: str
    reason: str
    source: Literal["declared", "foreign_key", "workload"]
    evidence: tuple[Evidence, ...]
    action: Action


def proposals(verdicts: Verdicts) -> tuple[Proposal, ...]:
    """All of them: declared ones first by severity, then by table and name; no two of one name."""
    catalog, thresholds = verdicts.catalog, verdicts.thresholds
    taken = set(catalog.names) | {(absent.index.schema, absent.index.name) for absent in verdicts.drift.absent}
    found = [_declared(catalog, absent) for absent in verdicts.drift.absent if absent.same_as is None]
    for unsupported in verdicts.unsupported:
        if not unsupported.plain:
            continue
        found.append(_foreign_key(catalog, unsupported, thresholds, taken))
        taken.add((unsupported.child.schema, found[-1].name))
    for need in verdicts.needs:
        if not _same_columns(found, need):
            found.append(_workload(catalog, need, taken))
            taken.add((need.table.schema, found[-1].name))
    return tuple(sorted(found, key=lambda p: (p.severity.rank, p.rule, p.table.schema, p.table.name, p.name)))


def _same_columns(found: Iterable[Proposal], need: WorkloadNeed) -> bool:
    first = need.columns[0].name
    return any(p.table.oid == need.table.oid and p.columns.split(", ")[0] == first for p in found)


def _declared(catalog: Catalog, absent: Absent) -> Proposal:
    index, table = absent.index, absent.table
    severity, reason = Severity.HIGH, "declared by the project, absent from the database"
    if absent.served_by is not None:
        severity = Severity.INFO
        reason += f"; {absent.served_by.name} serves everything that it would"
    return Proposal(
        rule="IDX001",
        severity=severity,
        table=table,
        name=index.name,
        columns=", ".join(key.column or key.text for key in index.keys),
        reason=reason,
        source="declared",
        evidence=_figures(table),
        action=create_declared(catalog, absent),
    )


def _foreign_key(
    catalog: Catalog, unsupported: UnsupportedKey, thresholds: IndexThresholds, taken: set[tuple[str, str]]
) -> Proposal:
    child, parent = unsupported.child, unsupported.parent
    rows = max(child.row_estimate, child.live_tuples, 0)
    deletes = parent.deletes if parent else 0
    name = free_name(child.schema, child.name, unsupported.columns, taken)
    keys = ", ".join(quote_ident(column) for column in unsupported.columns)
    names = ", ".join(sorted(key.name for key in unsupported.keys))
    first = unsupported.keys[0]
    half = f"; {unsupported.half.name} covers a part of the columns only" if unsupported.half else ""
    return Proposal(
        rule="IDX003",
        severity=Severity.MEDIUM if deletes and rows >= thresholds.foreign_key_min_rows else Severity.INFO,
        table=child,
        name=name,
        columns=", ".join(unsupported.columns),
        reason=f"foreign key {names}: each delete of a {first.ref_schema}.{first.ref_table} row, or change of its key, "
        f"reads all of {child.schema}.{child.name}, and joins from the parent have no index{half}",
        source="foreign_key",
        evidence=(
            Evidence(name="child rows", value=int(rows), unit="rows"),
            Evidence(name="parent deletes since the counters began", value=deletes, unit="rows"),
            Evidence(name="on delete", value=first.on_delete),
            *_figures(child),
        ),
        action=_create(child, name, create_index(catalog, child, name, f"USING btree ({keys})")),
    )


def _workload(catalog: Catalog, need: WorkloadNeed, taken: set[tuple[str, str]]) -> Proposal:
    columns = [column.name for column in need.columns]
    name = free_name(need.table.schema, need.table.name, columns, taken)
    keys = ", ".join(
        column.quoted + (" DESC" if descending else "")
        for column, descending in zip(need.columns, need.descending, strict=True)
    )
    return Proposal(
        rule="IDX004",
        severity=Severity.MEDIUM,
        table=need.table,
        name=name,
        columns=", ".join(columns),
        reason="statements compare these columns often and slowly, and no index leads with any of them; "
        "try it on a copy first, the planner has not been asked",
        source="workload",
        evidence=(
            Evidence(name="queryid", value=", ".join(str(queryid) for queryid in need.queryids)),
            Evidence(name="calls", value=need.calls, unit="calls"),
            Evidence(name="mean time", value=round(need.mean_ms, 3), unit="ms"),
            Evidence(name="total time", value=round(need.total_ms, 1), unit="ms"),
            Evidence(name="sequential scans", value=need.table.seq_scans, unit="scans"),
            *_figures(need.table),
        ),
        action=_create(need.table, name, create_index(catalog, need.table, name, f"USING btree ({keys})")),
    )


def _figures(table: TableInfo) -> tuple[Evidence, ...]:
    """What building it reads, and what keeping it costs."""
    return (
        Evidence(name="table size", value=table.table_bytes, unit="bytes"),
        Evidence(name="writes that the index would follow", value=table.index_writes, unit="rows"),
    )


def _create(table: TableInfo, name: str, statement: str) -> Action:
    concurrently = "" if table.kind == "partitioned" else "CONCURRENTLY "
    return Action(
        summary=f"create {name}",
        statement=statement,
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="two passes over the table, and a wait for every older transaction",
        reversible=True,
        undo=f"DROP INDEX {concurrently}{qualified(table.schema, name)};",
    )
