"""Declarations compared by their parse tree, where no PostgreSQL can make them canonical.

The declared indexes become a snapshot with the real one as its dictionary: what a declaration leaves to the server (an
operator class, a collation, the rendering of an expression) is taken from the real index when that is compatible.
"""

from dbvitals.collect.expected_names import declared_by_name
from dbvitals.expect import Expectations
from dbvitals.model import Skipped
from dbvitals.snapshot import CatalogSnapshot

_PART = "declared indexes"
_MEND = "install agente-hotelero[sandbox], or keep the file that `dbvitals expected` writes"


def expected_by_parse_tree(
    expectations: Expectations, actual: CatalogSnapshot, *, why: str
) -> tuple[CatalogSnapshot, tuple[Skipped, ...]]:
    """The declarations as a snapshot that can be compared with `actual`, and what is weaker about it."""
    try:
        from dbvitals.collect.expected_tables import DeclaredTables
    except ImportError:
        weaker = f"{why}, nor is the SQL parser installed: indexes are compared by their names alone"
        mend = f"{_MEND}, or install agente-hotelero[sql]"
        return declared_by_name(expectations, actual), (Skipped(part=_PART, why=weaker, mend=mend),)
    declared = DeclaredTables(expectations.schema, actual)
    for text in expectations.statements:
        declared.read(text)
    weaker = (
        f"{why}: compared by the parse tree, which does not see a difference in casts, in constant dates, times or "
        "JSON, or in the columns' own types and collations"
    )
    skipped = [Skipped(part=_PART, why=weaker, mend=_MEND)]
    if declared.not_followed:
        kinds = ", ".join(sorted(declared.not_followed))
        skipped.append(Skipped(part=_PART, why=f"statements not followed by the parse tree: {kinds}", mend=_MEND))
    return declared.snapshot(), tuple(skipped)
