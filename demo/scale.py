"""How much data there is, in the proportions of the guide's table of row estimates."""

from dataclasses import dataclass

TENANTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Rows of each table."""

    audit_logs: int
    sessions: int
    identifiers: int
    locks: int


SMALL = Scale(audit_logs=60_000, sessions=6_000, identifiers=6_000, locks=600)
FULL = Scale(audit_logs=2_000_000, sessions=200_000, identifiers=200_000, locks=20_000)
SCALES = {"small": SMALL, "full": FULL}
