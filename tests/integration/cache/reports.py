"""Reports of snapshots, and their findings by rule."""

from dbvitals.analyse.keyspace import analyse_keyspace
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import (
    FAMILIES,
    FOLDING,
)


def report_of(snapshot: KeyspaceSnapshot, earlier: KeyspaceSnapshot | None = None) -> CacheReport:
    return analyse_keyspace(
        snapshot,
        families=FAMILIES,
        folding=FOLDING,
        thresholds=CacheThresholds(),
        earlier=earlier,
        duration_seconds=0.0,
        tool_version="0",
    )


def rules_of(report: CacheReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.rule, []).append(finding.subject.name)
    return found
