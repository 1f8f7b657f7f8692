"""Which planted faults the analyses have found: read from their reports, as anyone would."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from demo.redis_faults import SERVER


class Planted(Protocol):
    """A fault of either server."""

    @property
    def what(self) -> str:
        """What was done."""

    @property
    def finding(self) -> tuple[str, str]:
        """The finding that must come: its rule, and the index, the pattern or SERVER."""


def findings_in(report: Path) -> frozenset[tuple[str, str]]:
    """Rule and subject of every finding; SERVER for those about a whole Redis."""
    findings = json.loads(report.read_bytes())["findings"]
    return frozenset((finding["rule"], _subject(finding["subject"])) for finding in findings)


def _subject(subject: dict[str, str]) -> str:
    return SERVER if subject["kind"] == "redis" else subject["name"]


def lines(faults: Iterable[Planted], found: frozenset[tuple[str, str]]) -> Iterator[str]:
    """A line for each fault, in the order of the rules: what was done, and where that was found."""
    for fault in sorted(faults, key=lambda fault: fault.finding):
        rule, subject = fault.finding
        yield f"  {rule}  {fault.what} ({subject if fault.finding in found else 'NOT FOUND'})"
