"""What should be: the declarations that a project hands over, so that what is can be compared with them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFamily:
    """Redis keys of one kind: a literal prefix and `*`, such as `session:*`.

    `expires`: True when a key without TTL is a fault, False when a TTL is one, None when either is right. The bounds
    are seconds, of the TTL that is set (what remains of it is less). `kind` tells what it means that keys go away or
    are looked for in vain: a `cache` can be filled again and is measured by its hit ratio; a `lock` that is lost lets
    two in, and one that stays keeps all out; `state` is lost for good; a `counter` starts anew. `tenant_part` is the
    place of the tenant among the parts of the name, where 0 is the prefix. `setting` is the line that sets the TTL.
    """

    pattern: str
    description: str
    kind: Literal["cache", "lock", "state", "counter"] = "cache"
    expires: bool | None = None
    ttl_min: float | None = None
    ttl_max: float | None = None
    tenant_part: int | None = None
    setting: str = ""

    def __post_init__(self) -> None:
        if self.tenant_part is not None and self.tenant_part < 0:
            raise ValueError(f"{self.pattern!r}: tenant_part {self.tenant_part} is no place; 0 is the prefix")
        if self.ttl_min is not None and self.ttl_max is not None and self.ttl_min > self.ttl_max:
            raise ValueError(f"{self.pattern!r}: ttl_min {self.ttl_min:g} is above ttl_max {self.ttl_max:g}")
        if not self.prefix or not self.pattern.endswith("*") or set(self.prefix) & set("*?[]\\"):
            raise ValueError(
                f"{self.pattern!r} is no family of keys: write a literal beginning and one *, as session:*"
            )

    @property
    def prefix(self) -> str:
        """What every key of the family begins with."""
        return self.pattern[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """The declared tables and indexes, as the DDL that makes them in an empty database, and families of Redis keys.

    `schema` is the schema that the statements create their unqualified names in. `lazy_ddl` gives further statements
    when tables are asked for: what only they need is not imported for a report on Redis.
    """

    ddl: tuple[str, ...] = ()
    schema: str = "public"
    families: tuple[KeyFamily, ...] = ()
    lazy_ddl: Callable[[], tuple[str, ...]] | None = None

    @property
    def statements(self) -> tuple[str, ...]:
        """All of the DDL."""
        return (*self.ddl, *(self.lazy_ddl() if self.lazy_ddl else ()))

    @property
    def digest(self) -> str:
        """SHA-256 of the declarations: the key under which their snapshot is kept."""
        text = "\x00".join((self.schema, *self.statements))
        return hashlib.sha256(text.encode()).hexdigest()


def statements_of(metadata: "MetaData", *, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The DDL of SQLAlchemy models; `before` are statements that must run first (extensions, functions)."""
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
    return tuple(statements)
