"""Verdicts as findings: rule, severity, evidence, and the statement that mends it."""

from collections.abc import Iterator

from dbvitals.analyse.drift import Drifted
from dbvitals.analyse.drift_sql import rebuild_as_declared, rename
from dbvitals.analyse.index_semantics import Redundancy
from dbvitals.analyse.invalid import Invalid
from dbvitals.analyse.proposals import proposals
from dbvitals.analyse.server_traps import trap_findings
from dbvitals.analyse.sql_text import drop_index, qualified, quote_ident, rebuild
from dbvitals.analyse.storage import Bloat
from dbvitals.analyse.unused import Unused
from dbvitals.analyse.verdicts import Verdicts
from dbvitals.model import Action, Confidence, Evidence, Finding, Ref, Severity
from dbvitals.snapshot import IndexInfo

OPEN_VERDICT = {
    "too_young": "counted for too short a time",
    "replica_not_seen": "not known whether a standby uses it",
}
"""Reasons that time or another node's counters will settle, in words."""


def findings(verdicts: Verdicts) -> tuple[Finding, ...]:
    """All findings, worst first."""
    found = [
        *_missing(verdicts),
        *_converted(verdicts),
        *_drifted(verdicts),
        *_unused(verdicts),
        *(_redundant(verdicts, redundancy) for redundancy in verdicts.redundant),
        *(_invalid(verdicts, invalid) for invalid in verdicts.invalid),
        *(_bloated(verdicts, bloat) for bloat in verdicts.bloated),
        *(_oversized(verdicts, index) for index in verdicts.oversized),
        *trap_findings(verdicts.catalog, verdicts.thresholds, verdicts.drift),
    ]
    return tuple(sorted(found, key=lambda finding: finding.sort_key))


def _ref(verdicts: Verdicts, index: IndexInfo) -> Ref:
    return Ref(kind="index", schema=index.schema, name=index.name, table=verdicts.catalog.table_of(index).name)


def _size(index: IndexInfo) -> Evidence:
    return Evidence(name="size", value=index.size_bytes, unit="bytes")


def _scans(index: IndexInfo) -> Evidence:
    return Evidence(name="scans", value=index.scans, unit="scans")


def _missing(verdicts: Verdicts) -> Iterator[Finding]:
    for schema, name in verdicts.drift.absent_tables:
        yield Finding(
            rule="IDX001",
            severity=Severity.HIGH,
            subject=Ref(kind="table", schema=schema, name=name),
            message="declared by the project, but the table does not exist: run the migrations, or check --database",
        )
    for proposal in proposals(verdicts):
        yield Finding(
            rule=proposal.rule,
            severity=proposal.severity,
            subject=Ref(kind="index", schema=proposal.table.schema, name=proposal.name, table=proposal.table.name),
            message=f"missing index on ({proposal.columns}): {proposal.reason}",
            confidence=Confidence.LIKELY if proposal.source == "workload" else Confidence.CERTAIN,
            evidence=proposal.evidence,
            action=proposal.action,
        )


def _converted(verdicts: Verdicts) -> Iterator[Finding]:
    """Foreign keys for which no statement is printed, since an index on their columns would not be used."""
    for unsupported in verdicts.unsupported:
        key = unsupported.keys[0]
        if not unsupported.plain:
            yield Finding(
                rule="IDX003",
                severity=Severity.INFO,
                subject=Ref(kind="foreign key", schema=key.schema, name=key.name, table=key.table),
                message=f"each delete of a {key.ref_schema}.{key.ref_table} row reads all of {key.schema}.{key.table}, "
                "and no B-tree on the columns helps, for the server converts them before it compares: "
                "give both sides the same type",
            )


def _drifted(verdicts: Verdicts) -> Iterator[Finding]:
    for absent in verdicts.drift.absent:
        if absent.same_as is not None:
            yield Finding(
                rule="IDX002",
                severity=Severity.INFO,
                subject=_ref(verdicts, absent.same_as),
                message=f"is the declared {absent.index.name} under another name",
                action=rename(absent),
            )
    for drifted in verdicts.drift.drifted:
        yield Finding(
            rule="IDX002",
            severity=drift_severity(drifted),
            subject=_ref(verdicts, drifted.actual),
            message="differs from its declaration: " + "; ".join(drifted.differences),
            evidence=(_size(drifted.actual), _scans(drifted.actual)),
            action=rebuild_as_declared(verdicts.catalog, drifted),
        )


def drift_severity(drifted: Drifted) -> Severity:
    """Lost uniqueness lets wrong rows in; storage and the mirror image change no plan; the rest does."""
    if not drifted.changes_service:
        return Severity.INFO
    return Severity.HIGH if drifted.kinds & {"uniqueness", "constraint"} else Severity.MEDIUM


def _unused(verdicts: Verdicts) -> Iterator[Finding]:
    for unused in verdicts.unused:
        open_verdict = bool(unused.kept_because) and set(unused.kept_because) <= OPEN_VERDICT.keys()
        if unused.kept_because and not open_verdict:
            continue
        days = None if unused.observed is None else round(unused.observed.total_seconds() / 86400, 1)
        writes = verdicts.catalog.table_of(unused.index).index_writes
        caution = _why_it_stays(unused) if open_verdict else _before_it_goes(verdicts, unused)
        yield Finding(
            rule="IDX005",
            severity=Severity.INFO if open_verdict else Severity.MEDIUM,
            subject=_ref(verdicts, unused.index),
            message=f"no scan on {_nodes(unused)} since the counters began{caution}",
            confidence=Confidence.LIKELY,
            evidence=(
                _size(unused.index),
                Evidence(name="observed", value=days, unit="days"),
                Evidence(name="writes it followed", value=writes, unit="rows"),
            ),
            action=None if open_verdict else drop_index(verdicts.catalog, unused.index),
        )


def _why_it_stays(unused: Unused) -> str:
    return "; it stays for now, " + " and ".join(OPEN_VERDICT[reason] for reason in unused.kept_because)


def _before_it_goes(verdicts: Verdicts, unused: Unused) -> str:
    index = unused.index
    declared = (index.schema, index.name) in verdicts.drift.declared
    age = "; make sure that it is older than them, for the server does not record when an index was made"
    return ("" if index.created_at else age) + (
        "; the project declares it: remove the declaration too" if declared else ""
    )


def _nodes(unused: Unused) -> str:
    return "the one node looked at" if len(unused.nodes) == 1 else f"any of {len(unused.nodes)} nodes"


def worth_dropping(verdicts: Verdicts, redundancy: Redundancy) -> bool:
    """Whether the index that stays reads about as fast: a much larger one makes every scan of a used one dearer."""
    ratio = redundancy.kept.size_bytes / max(1, redundancy.index.size_bytes)
    return redundancy.index.scans == 0 or ratio <= verdicts.thresholds.prefix_max_size_ratio


def redundancy_reason(verdicts: Verdicts, redundancy: Redundancy) -> str:
    """The proof in words, with the caution where there is one."""
    proof = "; ".join(redundancy.proof)
    if (redundancy.index.schema, redundancy.index.name) in verdicts.drift.declared:
        proof += "; the project declares it: remove the declaration as well"
    if worth_dropping(verdicts, redundancy):
        return proof
    ratio = redundancy.kept.size_bytes / max(1, redundancy.index.size_bytes)
    caution = f"{redundancy.kept.name} is {ratio:.1f} times as large and this one is used: keep it unless writes hurt"
    return f"{proof}; but {caution}"


def redundancy_action(verdicts: Verdicts, redundancy: Redundancy) -> Action | None:
    """How to drop it; with its constraint when it backs one. None when it had better stay."""
    if not worth_dropping(verdicts, redundancy):
        return None
    index = redundancy.index
    if index.constraint is None:
        return drop_index(verdicts.catalog, index)
    table = verdicts.catalog.table_of(index)
    target, name = qualified(table.schema, table.name), quote_ident(index.constraint.name)
    statement = f"SET lock_timeout = '2s';\nALTER TABLE {target} DROP CONSTRAINT {name};\nRESET lock_timeout;"
    return Action(
        summary="drop the constraint; look for ON CONFLICT ON CONSTRAINT with its name first",
        statement=statement,
        lock="ACCESS EXCLUSIVE on the table",
        takes="milliseconds once the lock is had; it gives up after 2 s of waiting: then run it again",
        reversible=True,
        undo=f"{rebuild(index)}\n"
        f"ALTER TABLE {target} ADD CONSTRAINT {name} UNIQUE USING INDEX {quote_ident(index.name)};",
    )


def _redundant(verdicts: Verdicts, redundancy: Redundancy) -> Finding:
    exact = redundancy.kind == "exact"
    words = "is a duplicate of" if exact else "is redundant beside"
    return Finding(
        rule="IDX006" if exact else "IDX007",
        severity=Severity.MEDIUM if worth_dropping(verdicts, redundancy) else Severity.INFO,
        subject=_ref(verdicts, redundancy.index),
        message=f"{words} {redundancy.kept.name}: {redundancy_reason(verdicts, redundancy)}",
        evidence=(
            _size(redundancy.index),
            _scans(redundancy.index),
            Evidence(name="size of the one that stays", value=redundancy.kept.size_bytes, unit="bytes"),
        ),
        action=redundancy_action(verdicts, redundancy),
    )


def _invalid(verdicts: Verdicts, invalid: Invalid) -> Finding:
    return Finding(
        rule="IDX008",
        severity=Severity.INFO if invalid.state == "building" else Severity.MEDIUM,
        subject=_ref(verdicts, invalid.index),
        message=f"cannot be used ({invalid.state}): {invalid.reason}",
        evidence=(_size(invalid.index),),
        action=invalid.action,
    )


def reindex(index: IndexInfo) -> Action:
    """Build an index anew beside itself."""
    return Action(
        summary="rebuild it",
        statement=f"REINDEX INDEX CONCURRENTLY {qualified(index.schema, index.name)};",
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="two passes over the table, space for a second copy, and a wait for every older transaction",
        reversible=False,
    )


def _bloated(verdicts: Verdicts, bloat: Bloat) -> Finding:
    return Finding(
        rule="IDX009",
        severity=Severity.MEDIUM,
        subject=_ref(verdicts, bloat.index),
        message=f"about {bloat.percent:g} % of it is empty: a rebuild gives the space back",
        confidence=Confidence.ESTIMATE,
        evidence=(
            _size(bloat.index),
            Evidence(name="expected after a rebuild", value=bloat.expected_bytes, unit="bytes"),
        ),
        action=reindex(bloat.index),
    )


def oversized_question(verdicts: Verdicts, index: IndexInfo) -> str:
    """The question to ask of a large index: the guide wants them reviewed for necessity."""
    table = verdicts.catalog.table_of(index)
    if index.scans == 0:
        return "nobody scans it: what is it for?"
    if index.size_bytes > table.table_bytes:
        return "it is larger than its table: are all of its columns needed in it?"
    if index.predicate is None:
        return "do its queries need all rows, or would a partial index (WHERE …) serve them?"
    return "do its queries still need it?"


def _oversized(verdicts: Verdicts, index: IndexInfo) -> Finding:
    return Finding(
        rule="IDX010",
        severity=Severity.INFO,
        subject=_ref(verdicts, index),
        message=f"larger than the size to review: {oversized_question(verdicts, index)}",
        evidence=(_size(index), _scans(index)),
    )
