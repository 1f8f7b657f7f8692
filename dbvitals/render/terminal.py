"""Draws a document for a terminal: as wide as the screen, coloured where colour means something."""

import io

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from dbvitals.model import Severity
from dbvitals.render.document import (
    NEVER,
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

FLEXIBLE_MIN = 22
"""Cells: narrower than this, running text is a column of syllables."""

BELOW_MIN = 30
"""Narrower than this, text is better read beneath that of another column, where it has a place there."""

GAP = 2
"""Cells between two columns; the box of a table is one of them."""

_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.INFO: "cyan",
}


def draw(document: Document, *, width: int, color: bool) -> str:
    """Draw for `width` cells; without colour there is no escape sequence in the text."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(Text(visible(document.title), style="bold"))
    for block in document.blocks:
        _draw_block(console, block, width)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _draw_block(console: Console, block: Block, width: int) -> None:
    match block:
        case Heading(text):
            console.print()
            console.print(Text(visible(text), style="bold underline"))
        case Paragraph(text):
            console.print(Text(visible(text)))
        case Facts(items):
            console.print(_facts(items))
        case Tally(counts):
            console.print(_tally(counts))
        case Notice(label, severity, text):
            console.print(_labelled(label, severity, text))
        case Table():
            console.print(_table(block, width))
            if block.left_out:
                console.print(Text(f"… and {block.left_out:,} more in the report", style="dim"))
        case Statements(statements):
            for statement in statements:
                console.print(Padding(Text("\n".join(map(visible, statement.split("\n")))), (0, 0, 1, 2)))


def _facts(items: tuple[tuple[str, str], ...]) -> RichTable:
    grid = RichTable.grid(padding=(0, GAP, 0, 0))
    for label, value in items:
        grid.add_row(Text(visible(label), style="dim"), Text(visible(value), overflow="fold"))
    return grid


def _tally(counts: tuple[tuple[Severity, int], ...]) -> Text:
    parts = [
        Text(f" {number:,} {severity.upper()} ", style=_STYLES[severity] if number else "dim")
        for severity, number in counts
    ]
    return Text("  ").join([Text("Findings"), *parts])


def _labelled(label: str, severity: Severity, text: str) -> RichTable:
    grid = RichTable.grid(padding=(0, GAP, 0, 0))
    grid.add_column(min_width=len("CRITICAL"), no_wrap=True)
    grid.add_row(Text(label, style=_STYLES[severity]), Text(visible(text), overflow="fold"))
    return grid


def _table(table: Table, width: int) -> RichTable:
    chosen = _fitting(table, width)
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position in chosen:
        column = table.columns[position]
        drawn.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.flexible,
            overflow="fold" if column.flexible else "ellipsis",
        )
    moved = [position for position, column in enumerate(table.columns) if column.below and position not in chosen]
    for row in table.rows:
        drawn.add_row(*[_with_below(table, row, position, moved) for position in chosen])
    return drawn


def _with_below(table: Table, row: tuple[Cell, ...], position: int, moved: list[int]) -> Text:
    """A cell, and under it those that are written there for want of room, each by its title."""
    title = table.columns[position].title
    under = [(table.columns[one].title, row[one]) for one in moved if table.columns[one].below == title and row[one]]
    lines = (Text.assemble((f"{name}: ", "dim"), _cell(cell)) for name, cell in under)
    return Text("\n").join([_cell(row[position]), *lines])


def _cell(cell: Cell) -> Text:
    if isinstance(cell, Severity):
        return Text(cell.upper(), style=_STYLES[cell])
    return Text(visible(cell))


def _fitting(table: Table, width: int) -> list[int]:
    """Positions of the columns to draw: the least important are left out until the others fit."""
    needed = [_needed(column, [row[position] for row in table.rows]) for position, column in enumerate(table.columns)]
    chosen = list(range(len(table.columns)))
    while sum(needed[position] + GAP for position in chosen) > width + GAP:
        least = max(chosen, key=lambda position: (table.columns[position].priority, position))
        if table.columns[least].priority == NEVER:
            break
        chosen.remove(least)
    return chosen


def _needed(column: Column, cells: list[Cell]) -> int:
    natural = max(cell_len(text) for text in (column.title, *(visible(cell) for cell in cells)))
    if not column.flexible:
        return natural
    return min(natural, BELOW_MIN if column.below else FLEXIBLE_MIN)
