"""A document before it has a look: headings, lines, tables, statements. Renderers only draw it."""

from dataclasses import dataclass

from dbvitals.model import Severity

Cell = str | Severity
"""A severity is drawn in its word and colour; everything else is text, names raw."""

NEVER = 0
"""Priority of a column that is never left out."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and values, one pair a line."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings there are of each severity, worst first."""

    counts: tuple[tuple[Severity, int], ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A line that must be seen: something to do, or something that could not be looked at."""

    label: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. Where the page is narrow the highest priorities go first, `NEVER` stays.

    `flexible` text may be broken over lines; the cells of other columns are kept whole where possible. `below` is the
    title of a column beneath whose text this one's is written when it is left out, so that it is not lost.
    """

    title: str
    priority: int = NEVER
    below: str = ""
    right: bool = False
    flexible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows, worst or largest first. `left_out` says how many more the report has."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Statements:
    """SQL to be read or copied."""

    statements: tuple[str, ...]


Block = Heading | Paragraph | Facts | Tally | Notice | Table | Statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole page."""

    title: str
    blocks: tuple[Block, ...]
