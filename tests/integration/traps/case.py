"""What a trap is: a schema built by SQL, what the analysis must say of it, and how a server proves that right."""

from dataclasses import dataclass
from typing import Literal

UNIQUE_VIOLATION = "23505"
EXCLUSION_VIOLATION = "23P01"
NO_ARBITER = "42P10"
WRONG_OBJECT_STATE = "55000"
UNDEFINED_OBJECT = "42704"
GROUPING_ERROR = "42803"
DEPENDENT_OBJECTS = "2BP01"


@dataclass(frozen=True, slots=True)
class Pair:
    """An index that must be proposed, and the one that does its work."""

    dropped: str
    kept: str
    kind: Literal["exact", "prefix"] = "exact"


@dataclass(frozen=True, slots=True)
class Serves:
    """The kept index answers a query just as the dropped one does: same rows, no more sorts, no fewer conditions."""

    dropped: str
    query: str


@dataclass(frozen=True, slots=True)
class StillRefuses:
    """The kept index refuses what the dropped one refused; without both it is accepted."""

    dropped: str
    statement: str
    sqlstate: str = UNIQUE_VIOLATION


@dataclass(frozen=True, slots=True)
class StillAllows:
    """The kept index makes possible what the dropped one made possible; without both it fails."""

    dropped: str
    statement: str
    sqlstate: str = NO_ARBITER


@dataclass(frozen=True, slots=True)
class Needs:
    """Without the index the query's plan is worse: a sort, a filter or a heap visit more, a condition less."""

    index: str
    query: str


@dataclass(frozen=True, slots=True)
class Cheaper:
    """With the index the query touches fewer pages, by the factor, than with what else is there."""

    index: str
    query: str
    factor: float = 2.0


@dataclass(frozen=True, slots=True)
class Smaller:
    """The index is smaller, by the factor, than another that could do its work."""

    index: str
    than: str
    factor: float = 1.5


@dataclass(frozen=True, slots=True)
class Refuses:
    """The statement is refused because of the index, and accepted without it."""

    index: str
    statement: str
    sqlstate: str = UNIQUE_VIOLATION


@dataclass(frozen=True, slots=True)
class Allows:
    """The statement works because of the index, and fails without it."""

    index: str
    statement: str
    sqlstate: str = NO_ARBITER


@dataclass(frozen=True, slots=True)
class Pinned:
    """The server itself refuses DROP INDEX: something depends on it."""

    index: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The index is not valid, so that no query may use it; it is a matter of another section of the report."""

    index: str


@dataclass(frozen=True, slots=True)
class Estimates:
    """With the index's statistics the planner's row estimate is right within factor 2; without, off by 5 or more."""

    index: str
    query: str


@dataclass(frozen=True, slots=True)
class RemovesJoin:
    """Because of the index the planner proves a join needless; without it the query reads the other table too."""

    index: str
    query: str


Replacement = Serves | StillRefuses | StillAllows
Need = Needs | Cheaper | Smaller | Refuses | Allows | Pinned | Broken | Estimates | RemovesJoin
Proof = Replacement | Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """The part that all traps share. The schema is named as the trap; `setup` runs in it, one statement at a time."""

    name: str
    setup: tuple[str, ...]
    since: int = 15
    extension: str | None = None
    icu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RedundancyCase(Trap):
    """Every index of the schema that is not `redundant` must be kept, and `proofs` say why for each."""

    redundant: tuple[Pair, ...] = ()
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeyCase(Trap):
    """`unsupported` are the foreign keys that lack an index: those of one set of columns settle in one entry.

    `mend` is the index that serves the key where a plain one on its columns would not.
    """

    unsupported: tuple[frozenset[str], ...] = ()
    mend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCase(Trap):
    """An index that must not be called droppable. `reasons` are all that may be given for it.

    None: it must not even be listed as unused. `uses` runs after the counters' reset.
    """

    index: str
    reasons: tuple[str, ...] | None
    proof: Need
    uses: tuple[str, ...] = ()
