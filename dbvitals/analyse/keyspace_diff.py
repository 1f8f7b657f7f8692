"""What changed between two cache reports of the same Redis; what cannot be compared is said, and is no change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dbvitals.analyse.keyspace_report import CacheReport, PatternReport
from dbvitals.analyse.report_diff import ChangedFinding
from dbvitals.model import Evidence, Finding

NOTABLE_SHARE = 0.1
"""A pattern that grew or shrank by less than a tenth does so by the hour."""

NOTABLE_BYTES = 1024 * 1024
"""Less than this is no change worth a line."""

NOTABLE_RATIO = 0.02
"""Two points of a hit ratio, or of any other share."""

_LEAST = {"keys": 1, "bytes": NOTABLE_BYTES, "percent": 100 * NOTABLE_RATIO}
"""The least change of a finding's figure that is worth a line, by its unit; others, such as seconds, always move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPattern:
    """A pattern whose keys, bytes or keys without TTL changed; 0 where it was, or is, not there, None: not known."""

    pattern: str
    old_keys: int
    new_keys: int
    old_no_ttl: int | None
    new_no_ttl: int | None
    old_bytes: int | None
    new_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReportDiff:
    """Findings by rule and subject, worst first; patterns, the largest change of bytes first.

    `changed` stand in both, with another severity or notably other figures. `not_compared` says why it cannot be told
    what is gone, and, where a report is not of the whole of the same Redis, how patterns changed.
    """

    old_generated_at: datetime
    new_generated_at: datetime
    old_hit_ratio: float | None
    new_hit_ratio: float | None
    not_compared: tuple[str, ...]
    appeared: tuple[Finding, ...]
    changed: tuple[ChangedFinding, ...]
    gone: tuple[Finding, ...]
    patterns: tuple[ChangedPattern, ...]

    @property
    def hit_ratio_moved(self) -> bool:
        """Whether the hit ratio is another one."""
        if self.old_hit_ratio is None or self.new_hit_ratio is None:
            return self.old_hit_ratio is not self.new_hit_ratio
        return abs(self.new_hit_ratio - self.old_hit_ratio) >= NOTABLE_RATIO

    @property
    def is_empty(self) -> bool:
        """Whether both reports say the same, as far as they can be compared."""
        return not (self.appeared or self.changed or self.gone or self.patterns or self.hit_ratio_moved)


def diff_cache_reports(old: CacheReport, new: CacheReport) -> CacheReportDiff:
    """Compare two reports. What moves by itself from hour to hour is no change."""
    before, after = _findings(old), _findings(new)
    partial = (*_elsewhere(old, new), *_partial("older", old), *_partial("new", new))
    unseen = (*partial, *_unseen(old, new))
    pairs = [ChangedFinding(old=before[key], new=after[key]) for key in before.keys() & after.keys()]
    changed = [pair for pair in pairs if (_is_worse(pair) if partial else _is_other(pair))]
    return CacheReportDiff(
        old_generated_at=old.generated_at,
        new_generated_at=new.generated_at,
        old_hit_ratio=old.summary.hit_ratio,
        new_hit_ratio=new.summary.hit_ratio,
        not_compared=unseen,
        appeared=_sorted([after[key] for key in after.keys() - before.keys()]),
        changed=tuple(sorted(changed, key=lambda pair: pair.new.sort_key)),
        gone=() if unseen else _sorted([before[key] for key in before.keys() - after.keys()]),
        patterns=() if partial else _patterns(old, new),
    )


def _elsewhere(old: CacheReport, new: CacheReport) -> Iterator[str]:
    """After a failover the same Redis is elsewhere; nobody can tell that from two reports."""
    if old.place != new.place:
        yield f"the older report is of {old.place}, the new one of {new.place}"
    if old.target.database != new.target.database:
        yield f"the older report is of database {old.target.database}, the new one of {new.target.database}"


def _partial(which: str, report: CacheReport) -> Iterator[str]:
    """Why what a report does not say may be there nevertheless."""
    coverage = report.summary.coverage
    if coverage.mode == "sample":
        yield f"the {which} report is of a sample"
    elif not coverage.trusted:
        yield f"the {which} report is {coverage.confidence}"


def _unseen(old: CacheReport, new: CacheReport) -> Iterator[str]:
    """What the new report could not see, and the older one could."""
    could = {skipped.part for skipped in old.incomplete}
    for part in sorted({skipped.part for skipped in new.incomplete} - could):
        yield f"the new report lacks the {part}"


def _is_worse(pair: ChangedFinding) -> bool:
    return pair.new.severity.rank < pair.old.severity.rank


def _is_other(pair: ChangedFinding) -> bool:
    """Another severity, or a figure that has notably changed."""
    before = {one.name: one for one in pair.old.evidence}
    moved = (_has_moved(before[one.name], one) for one in pair.new.evidence if one.name in before)
    return pair.new.severity != pair.old.severity or any(moved)


def _has_moved(old: Evidence, new: Evidence) -> bool:
    if not isinstance(old.value, int | float) or not isinstance(new.value, int | float) or new.unit not in _LEAST:
        return False
    change = abs(new.value - old.value)
    return change >= _LEAST[new.unit] and change > NOTABLE_SHARE * abs(old.value)


def _findings(report: CacheReport) -> dict[tuple[str, str], Finding]:
    return {(finding.rule, finding.subject.name): finding for finding in report.findings}


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))


def _patterns(old: CacheReport, new: CacheReport) -> tuple[ChangedPattern, ...]:
    before = {one.pattern: one for one in old.patterns}
    after = {one.pattern: one for one in new.patterns}
    pairs = [_pair(name, before.get(name), after.get(name)) for name in before.keys() | after.keys()]
    changed = [pair for pair in pairs if _is_notable(pair)]
    return tuple(sorted(changed, key=lambda pair: (-_change(pair.old_bytes, pair.new_bytes), pair.pattern)))


def _pair(name: str, old: PatternReport | None, new: PatternReport | None) -> ChangedPattern:
    return ChangedPattern(
        pattern=name,
        old_keys=old.count if old else 0,
        new_keys=new.count if new else 0,
        old_no_ttl=old.no_ttl if old else 0,
        new_no_ttl=new.no_ttl if new else 0,
        old_bytes=old.memory_bytes if old else 0,
        new_bytes=new.memory_bytes if new else 0,
    )


def _is_notable(pair: ChangedPattern) -> bool:
    """New or gone, grown or shrunk by a tenth: in keys, in keys without TTL, or in bytes."""
    bytes_moved = _change(pair.old_bytes, pair.new_bytes)
    return (
        _change(pair.old_keys, pair.new_keys) > NOTABLE_SHARE * pair.old_keys
        or _change(pair.old_no_ttl, pair.new_no_ttl) > NOTABLE_SHARE * (pair.old_no_ttl or 0)
        or (bytes_moved >= NOTABLE_BYTES and bytes_moved > NOTABLE_SHARE * (pair.old_bytes or 0))
    )


def _change(old: int | None, new: int | None) -> int:
    """By how much a figure changed; where one is not known, nothing can be said."""
    return 0 if old is None or new is None else abs(new - old)
