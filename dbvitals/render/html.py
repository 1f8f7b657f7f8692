"""Draws a document as one HTML page that needs nothing else: no script, no font, no picture."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from dbvitals.model import Severity
from dbvitals.render.document import Document
from dbvitals.render.text import visible

_ENVIRONMENT = Environment(
    loader=PackageLoader("dbvitals.render"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def draw(document: Document) -> str:
    """Draw the whole document."""
    return _ENVIRONMENT.get_template("document.html").render(
        document=document,
        kind=lambda block: type(block).__name__,
        is_severity=lambda cell: isinstance(cell, Severity),
        visible=visible,
        visible_lines=lambda text: "\n".join(map(visible, text.split("\n"))),
    )
