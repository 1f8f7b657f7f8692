"""Many cheap looks as one row an interval: the least, the mean and the peak, which the mean hides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dbvitals.analyse.connection_report import Range, Sample
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.snapshot_activity import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of the watch, in seconds since it began; of these `gap_seconds` were without a server."""

    started_at: datetime
    begin: float
    end: float
    gap_seconds: float = 0.0


def fold(interval: Interval, probes: Sequence[Probe], pool: PoolConfig, threshold: float | None) -> Sample:
    """One interval's looks, in their order."""
    capacity = pool.capacity

    def utilization(probe: Probe) -> float | None:
        return pool.percent_of(probe.total)

    def busy(probe: Probe) -> float | None:
        return None if probe.idle is None else pool.percent_of(probe.total - probe.idle)

    return Sample(
        started_at=interval.started_at,
        seconds=round(interval.end - interval.begin, 3),
        probes=len(probes),
        gap_seconds=round(interval.gap_seconds, 3),
        total_connections=_range(probes, lambda probe: probe.total),
        active_connections=_range(probes, lambda probe: probe.active),
        idle_connections=_range(probes, lambda probe: probe.idle),
        idle_in_transaction=_range(probes, lambda probe: probe.idle_in_transaction),
        long_running_queries=_range(probes, lambda probe: probe.long_running),
        blocked_connections=_range(probes, lambda probe: probe.blocked),
        pool_utilization_percent=_range(probes, utilization),
        pool_busy_percent=_range(probes, busy),
        above_threshold_seconds=None
        if capacity is None or threshold is None
        else _above(interval, probes, lambda probe: (utilization(probe) or 0.0) > threshold),
    )


def _range(probes: Sequence[Probe], figure: Callable[[Probe], float | None]) -> Range | None:
    """None when there was no look, or one of them could not see it."""
    values = [figure(probe) for probe in probes]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Range(minimum=min(known), mean=round(sum(known) / len(known), 3), peak=max(known))


def _above(interval: Interval, probes: Sequence[Probe], is_above: Callable[[Probe], bool]) -> float:
    """What was seen holds until the next look; not through a gap, during which nobody looked."""
    ends = [*(probe.seconds for probe in probes[1:]), interval.end][: len(probes)]
    total = sum(end - probe.seconds for probe, end in zip(probes, ends, strict=True) if is_above(probe))
    return round(min(total, interval.end - interval.begin - interval.gap_seconds), 3)
