"""How a command ends: the page on standard output, and the exit code."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbvitals.model import Severity, Skipped
from dbvitals.output import show

if TYPE_CHECKING:
    from dbvitals.cli.options import Call
    from dbvitals.render.document import Document

FOUND = 1
INCOMPLETE = 4
INTERRUPTED = 130

PIPED_WIDTH = 120
"""Cells of a line that no screen limits, unless COLUMNS says otherwise."""


def exit_code(call: "Call", worst: Severity | None, incomplete: Sequence[Skipped]) -> int:
    """Give the exit code of a report that was made; what is missing from it weighs more than what is in it."""
    if any(skipped.part == "interrupted" for skipped in incomplete):
        return INTERRUPTED
    if call.strict and incomplete:
        return INCOMPLETE
    return FOUND if call.fail_on and worst and worst.rank <= call.fail_on.rank else 0


def show_document(call: "Call", document: "Document") -> None:
    """Draw in the format that was asked for."""
    if call.format == "html":
        from dbvitals.render import html

        show(html.draw(document))
    elif call.format == "markdown":
        from dbvitals.render import markdown

        show(markdown.draw(document))
    else:
        from dbvitals.render import terminal

        width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
        show(terminal.draw(document, width=width, color=call.color and _colors_wanted()))


def _colors_wanted() -> bool:
    """Whether standard output is a terminal that shows colours, and nobody objects (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
