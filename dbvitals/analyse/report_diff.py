"""What changed between two index reports of the same database."""

from dataclasses import dataclass
from datetime import datetime

from dbvitals.analyse.index_report import ExistingIndex, IndexReport
from dbvitals.model import Finding

RESIZED_MIN_BYTES = 1024 * 1024
"""A smaller change of an index's size is the noise of a day."""

RESIZED_MIN_SHARE = 0.2
"""An index that grew by less than a fifth grew with its table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexName:
    """An index and its table."""

    schema: str
    table: str
    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizedIndex:
    """An index whose size changed notably."""

    schema: str
    table: str
    index: str
    old_bytes: int
    new_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFinding:
    """A finding that stands in both reports, with another severity or another action."""

    old: Finding
    new: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReportDiff:
    """Findings by rule and subject, worst first; indexes by name, the largest change of size first."""

    old_generated_at: datetime
    new_generated_at: datetime
    appeared: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    changed: tuple[ChangedFinding, ...]
    indexes_added: tuple[IndexName, ...]
    indexes_removed: tuple[IndexName, ...]
    indexes_resized: tuple[ResizedIndex, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both reports say the same."""
        return not any(
            (
                self.appeared,
                self.gone,
                self.changed,
                self.indexes_added,
                self.indexes_removed,
                self.indexes_resized,
            )
        )


_Key = tuple[object, ...]


def diff_reports(old: IndexReport, new: IndexReport) -> IndexReportDiff:
    """Compare two reports. Figures that move by themselves (scans, days, small growth) are no change."""
    before, after = _findings(old), _findings(new)
    indexes_before, indexes_after = _indexes(old), _indexes(new)
    return IndexReportDiff(
        old_generated_at=old.generated_at,
        new_generated_at=new.generated_at,
        appeared=_sorted([after[key] for key in after.keys() - before.keys()]),
        gone=_sorted([before[key] for key in before.keys() - after.keys()]),
        changed=_changed(before, after),
        indexes_added=tuple(IndexName(schema=s, table=t, index=i) for s, t, i in _only(indexes_after, indexes_before)),
        indexes_removed=tuple(
            IndexName(schema=s, table=t, index=i) for s, t, i in _only(indexes_before, indexes_after)
        ),
        indexes_resized=_resized(indexes_before, indexes_after),
    )


def _findings(report: IndexReport) -> dict[_Key, Finding]:
    """Key findings by rule and subject; a second one under the same key is told apart by its place."""
    found: dict[_Key, Finding] = {}
    for finding in sorted(report.findings, key=lambda finding: (finding.sort_key, finding.message)):
        place = 0
        while (finding.rule, finding.subject, place) in found:
            place += 1
        found[finding.rule, finding.subject, place] = finding
    return found


def _indexes(report: IndexReport) -> dict[tuple[str, str, str], ExistingIndex]:
    return {(index.schema, index.table, index.index): index for index in report.existing_indexes}


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.sort_key, finding.message)))


def _only(
    these: dict[tuple[str, str, str], ExistingIndex], those: dict[tuple[str, str, str], ExistingIndex]
) -> list[tuple[str, str, str]]:
    return sorted(these.keys() - those.keys())


def _changed(before: dict[_Key, Finding], after: dict[_Key, Finding]) -> tuple[ChangedFinding, ...]:
    pairs = [ChangedFinding(old=before[key], new=after[key]) for key in before.keys() & after.keys()]
    changed = [pair for pair in pairs if _verdict(pair.old) != _verdict(pair.new)]
    return tuple(sorted(changed, key=lambda pair: pair.new.sort_key))


def _verdict(finding: Finding) -> tuple[object, ...]:
    return (finding.severity, finding.action.statement if finding.action else None)


def _resized(
    before: dict[tuple[str, str, str], ExistingIndex], after: dict[tuple[str, str, str], ExistingIndex]
) -> tuple[ResizedIndex, ...]:
    resized = [
        ResizedIndex(
            schema=key[0],
            table=key[1],
            index=key[2],
            old_bytes=before[key].size_bytes,
            new_bytes=index.size_bytes,
        )
        for key, index in after.items()
        if key in before and _is_notable(before[key].size_bytes, index.size_bytes)
    ]
    return tuple(
        sorted(
            resized,
            key=lambda index: (
                -abs(index.new_bytes - index.old_bytes),
                index.schema,
                index.table,
                index.index,
            ),
        )
    )


def _is_notable(old: int, new: int) -> bool:
    change = abs(new - old)
    return change >= RESIZED_MIN_BYTES and change >= RESIZED_MIN_SHARE * old
