"""What changed between two cache reports of the same Redis."""

from dataclasses import dataclass
from datetime import datetime

from dbvitals.analyse.keyspace_report import CacheReport, PatternReport
from dbvitals.model import Finding

NOTABLE_SHARE = 0.1
"""A pattern that grew or shrank by less than a tenth does so by the hour."""

NOTABLE_BYTES = 1024 * 1024
"""Less than this is no change worth a line."""

NOTABLE_RATIO = 0.02
"""Two points of a hit ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPattern:
    """A pattern whose keys, bytes or keys without TTL changed; 0 where it was, or is, not there."""

    pattern: str
    old_keys: int
    new_keys: int
    old_no_ttl: int
    new_no_ttl: int
    old_bytes: int
    new_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReportDiff:
    """Findings by rule and subject, worst first; patterns, the largest change of bytes first."""

    old_generated_at: datetime
    new_generated_at: datetime
    old_hit_ratio: float | None
    new_hit_ratio: float | None
    appeared: tuple[Finding, ...]
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
        """Whether both reports say the same."""
        return not (self.appeared or self.gone or self.patterns or self.hit_ratio_moved)


def diff_cache_reports(old: CacheReport, new: CacheReport) -> CacheReportDiff:
    """Compare two reports. What moves by itself from hour to hour is no change."""
    before, after = _findings(old), _findings(new)
    return CacheReportDiff(
        old_generated_at=old.generated_at,
        new_generated_at=new.generated_at,
        old_hit_ratio=old.summary.hit_ratio,
        new_hit_ratio=new.summary.hit_ratio,
        appeared=_sorted([after[key] for key in after.keys() - before.keys()]),
        gone=_sorted([before[key] for key in before.keys() - after.keys()]),
        patterns=_patterns(old, new),
    )


def _findings(report: CacheReport) -> dict[tuple[str, str], Finding]:
    return {(finding.rule, finding.subject.name): finding for finding in report.findings}


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))


def _patterns(old: CacheReport, new: CacheReport) -> tuple[ChangedPattern, ...]:
    before = {one.pattern: one for one in old.patterns}
    after = {one.pattern: one for one in new.patterns}
    pairs = [_pair(name, before.get(name), after.get(name)) for name in before.keys() | after.keys()]
    changed = [pair for pair in pairs if _is_notable(pair)]
    return tuple(sorted(changed, key=lambda pair: (-abs(pair.new_bytes - pair.old_bytes), pair.pattern)))


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
    """New or gone, grown or shrunk, or with keys without TTL where there were none."""
    bytes_moved = abs(pair.new_bytes - pair.old_bytes)
    return (
        (pair.old_keys == 0) != (pair.new_keys == 0)
        or (pair.old_no_ttl == 0) != (pair.new_no_ttl == 0)
        or abs(pair.new_keys - pair.old_keys) > NOTABLE_SHARE * pair.old_keys
        or (bytes_moved >= NOTABLE_BYTES and bytes_moved > NOTABLE_SHARE * pair.old_bytes)
    )
