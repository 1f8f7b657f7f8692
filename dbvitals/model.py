"""What an analysis says: findings with their evidence, the action they ask for, and what could not be seen."""

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How urgent a finding is. `rank` orders them: 0 is the worst."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Position from the worst, 0..3."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Confidence(StrEnum):
    """How sure a finding is: read from the catalogue, derived from counters, or estimated."""

    CERTAIN = "certain"
    LIKELY = "likely"
    ESTIMATE = "estimate"


class Ref(Struct, frozen=True, kw_only=True):
    """The thing that a finding is about. Names are raw, never quoted."""

    kind: str
    schema: str
    name: str
    table: str | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """One figure behind a finding. `unit`: `bytes`, `seconds`, `percent`, `rows`, `scans`, … or empty."""

    name: str
    value: int | float | str | bool | None
    unit: str = ""


class Action(Struct, frozen=True, kw_only=True):
    """What to do. `statement` is SQL that psql runs as it stands; `undo` brings the former state back.

    `lock` names the strongest lock that the statement holds on the table, and `takes` what it costs while it runs.
    """

    summary: str
    statement: str
    lock: str
    takes: str
    reversible: bool
    undo: str | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or worth a look. `rule` is a stable id, documented in docs/rules.md."""

    rule: str
    severity: Severity
    subject: Ref
    message: str
    confidence: Confidence = Confidence.CERTAIN
    evidence: tuple[Evidence, ...] = ()
    action: Action | None = None

    @property
    def sort_key(self) -> tuple[int, str, str, str, str]:
        """Worst first, then by rule and name: the same state gives the same order."""
        return (self.severity.rank, self.rule, self.subject.schema, self.subject.table or "", self.subject.name)


class Skipped(Struct, frozen=True, kw_only=True):
    """A part of the report that could not be made: which, why, and how to mend it."""

    part: str
    why: str
    mend: str


class Recommendation(Struct, frozen=True, kw_only=True):
    """What the guide calls a recommendation: one line for everything of one category."""

    severity: Severity
    category: str
    message: str
    action: str


class Tool(Struct, frozen=True, kw_only=True):
    """Who made a report."""

    name: str
    version: str


class Target(Struct, frozen=True, kw_only=True):
    """The server that a report is about. Never holds a password."""

    host: str
    port: int
    database: str
    user: str
    server_version: str
    role: str
