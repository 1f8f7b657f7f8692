"""Draws a document in GitHub's Markdown; names cannot break out of their cell."""

import re
from collections.abc import Iterator

from dbvitals.model import Severity
from dbvitals.render.document import (
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Heading,
    Notice,
    Paragraph,
    Statements,
    Table,
    Tally,
)
from dbvitals.render.text import visible

_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def draw(document: Document) -> str:
    """Draw the whole document."""
    parts = [f"# {_escape(document.title)}", *(_draw_block(block) for block in document.blocks)]
    return "\n\n".join(parts) + "\n"


def _draw_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {_escape(text)}"
        case Paragraph(text):
            return _escape(text)
        case Facts(items):
            return "\n".join(f"- **{_escape(label)}:** {_escape(value)}" for label, value in items)
        case Tally(counts):
            return " · ".join(f"**{number:,} {severity.upper()}**" for severity, number in counts)
        case Notice(label, _, text):
            return f"> **{_escape(label)}** {_escape(text)}"
        case Table():
            return "\n".join(_table(block))
        case Statements(statements):
            texts = ("\n".join(map(visible, statement.split("\n"))) for statement in statements)
            return _fenced("\n\n".join(texts))


def _table(table: Table) -> Iterator[str]:
    yield _row([column.title for column in table.columns])
    yield "| " + " | ".join(_rule(column) for column in table.columns) + " |"
    for row in table.rows:
        yield _row(row)
    if table.left_out:
        yield f"\n… and {table.left_out:,} more in the report"


def _row(cells: tuple[Cell, ...] | list[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _rule(column: Column) -> str:
    return "---:" if column.right else "---"


def _cell(cell: Cell) -> str:
    return f"**{cell.upper()}**" if isinstance(cell, Severity) else _escape(cell)


def _escape(text: str) -> str:
    """Escape what Markdown or HTML reads as more than text; an underscore within a word is not."""
    escaped = re.sub(r"[\\`*\[\]|~$#]|(?<!\w)_|_(?!\w)", r"\\\g<0>", visible(text))
    return re.sub(r"[<>&]", lambda match: _ENTITIES[match[0]], escaped)


def _fenced(code: str) -> str:
    """Fence the code with more backticks than it has in a row."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sql\n{code}\n{fence}"
