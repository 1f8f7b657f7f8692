"""Adds to a connection report how large the pools should be, where the application told what it measured."""

from collections.abc import Sequence

from msgspec import structs

from dbvitals.analyse.connection_advice import (
    DEPLOY,
    MAX_OVERFLOW,
    POOL_SIZE,
    env_step,
    numbered,
    refer_to_measured,
)
from dbvitals.analyse.connection_report import ConnectionReport, PoolSizing
from dbvitals.analyse.pool_sizing import PoolAdvice, PoolSupply, WaitTarget, size_pool
from dbvitals.model import Confidence, Evidence, Finding, Recommendation, Ref, Severity
from dbvitals.snapshot_pool import PoolObservation

RULE = "CON015"
CATEGORY = "pool_size"


def with_sizes(report: ConnectionReport, target: WaitTarget) -> ConnectionReport:
    """The report with a size for each pool, by its busiest process, and a finding where today's differs from it."""
    fleet = report.fleet
    supply = PoolSupply(
        connections=fleet.supply if fleet else None,
        processes=fleet.processes if fleet else len(report.pools),
    )
    busiest = _busiest(report.pools)
    advice = [size_pool(seen, target, supply) for seen in busiest]
    found = [
        (finding, _recommendation(finding, each))
        for seen, each in zip(busiest, advice, strict=True)
        if (finding := _finding(seen, each, target)) is not None
    ]
    findings = sorted((*report.findings, *(finding for finding, _ in found)), key=lambda finding: finding.sort_key)
    is_told = any(each.pool_size is not None for each in advice)
    earlier = [refer_to_measured(known, report) if is_told else known for known in report.recommendations]
    recommendations = sorted(
        (*earlier, *(recommendation for _, recommendation in found)),
        key=lambda r: (r.severity.rank, r.category),
    )
    return structs.replace(
        report,
        sizing=tuple(
            PoolSizing(application=seen.application, pool=seen.pool.name, process=seen.process, advice=each)
            for seen, each in zip(busiest, advice, strict=True)
        ),
        findings=tuple(findings),
        recommendations=tuple(recommendations),
    )


def _busiest(pools: Sequence[PoolObservation]) -> list[PoolObservation]:
    """Of each application's pool the process that was asked for the most connections."""
    found: dict[tuple[str, str], PoolObservation] = {}
    for seen in sorted(pools, key=lambda seen: (seen.application, seen.pool.name, seen.process)):
        key = (seen.application, seen.pool.name)
        if key not in found or seen.window.checkouts > found[key].window.checkouts:
            found[key] = seen
    return [found[key] for key in sorted(found)]


def _finding(seen: PoolObservation, advice: PoolAdvice, target: WaitTarget) -> Finding | None:
    """None where the pool is as it should be, or where nothing can be told for want of traffic."""
    size, overflow = seen.pool.size, seen.pool.max_overflow
    if advice.refused is not None and advice.refused.why == "too few":
        return None
    if advice.refused is not None:
        message = f"no size can be told: {advice.refused.message}"
    elif (advice.pool_size, advice.max_overflow) == (size, overflow):
        return None
    else:
        wait = f"{target.p95_seconds * 1000:g} ms"
        message = (
            f"{advice.arrivals_per_second:.1f} checkouts a second of {(advice.hold_mean or 0.0) * 1000:.1f} ms keep "
            f"{advice.load:.1f} connections out; {advice.needed} are enough for 95 of 100 to wait {wait} at most"
            + (f", the server gives {advice.pool_size}" if advice.capped else "")
            + f"; it has {size} + {overflow}"
        )
    return Finding(
        rule=RULE,
        severity=Severity.MEDIUM if advice.refused or advice.capped or _is_small(seen, advice) else Severity.INFO,
        subject=Ref(kind="pool", schema="", name=f"{seen.application}/{seen.pool.name}"),
        message=message,
        confidence=Confidence.ESTIMATE,
        evidence=(
            Evidence(name="arrivals", value=round(advice.arrivals_per_second, 3), unit="per second"),
            Evidence(name="hold", value=advice.hold_mean, unit="seconds"),
            Evidence(name="wait measured", value=advice.measured_mean_wait, unit="seconds"),
        ),
    )


def _is_small(seen: PoolObservation, advice: PoolAdvice) -> bool:
    capacity = seen.pool.capacity
    return capacity is not None and advice.needed is not None and capacity < advice.needed


def _recommendation(finding: Finding, advice: PoolAdvice) -> Recommendation:
    if advice.refused is not None:
        action = numbered((advice.refused.mend,))
    else:
        action = numbered(
            (
                env_step("set postgres_pool_size", POOL_SIZE, advice.pool_size),
                env_step("set postgres_max_overflow", MAX_OVERFLOW, advice.max_overflow),
                DEPLOY,
            )
        )
    return Recommendation(
        severity=finding.severity,
        category=CATEGORY,
        message=f"Pool {finding.subject.name}: {finding.message}. Impact: waits for a connection, or connections "
        "that the server keeps for nobody",
        action=action,
    )
