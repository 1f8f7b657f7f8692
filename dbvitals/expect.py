"""What should be: the declarations that a project hands over, so that what is can be compared with them."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """The declared tables and indexes, as the DDL that makes them in an empty database.

    `schema` is the schema that the statements create their unqualified names in.
    """

    ddl: tuple[str, ...]
    schema: str = "public"

    @property
    def digest(self) -> str:
        """SHA-256 of the declarations: the key under which their snapshot is kept."""
        text = "\x00".join((self.schema, *self.ddl))
        return hashlib.sha256(text.encode()).hexdigest()


def from_metadata(metadata: "MetaData", *, before: tuple[str, ...] = (), schema: str = "public") -> Expectations:
    """Expectations from SQLAlchemy models; `before` are statements that must run first (extensions, functions)."""
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = list(before)
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        statements.extend(
            str(CreateIndex(index).compile(dialect=dialect)).strip()
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    return Expectations(ddl=tuple(statements), schema=schema)
