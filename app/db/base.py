"""What all models share: names of constraints, types of columns, key, tenant and time stamps."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    FetchedValue,
    ForeignKey,
    MetaData,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.ids import uuid7

JsonObject = dict[str, object]

# PostgreSQL's own names for constraints (the guide's `*_pkey`), the guide's for indexes.
NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
}

# Keys stand first in every table and time stamps last, whatever the order of the classes.
FIRST, LAST = -10, 10


EAGER_DEFAULTS = {"eager_defaults": True}


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        str: Text(),
        int: BigInteger(),
        JsonObject: JSONB(),
    }
    # A changed row comes back with what the server set, instead of a lazy load that async code cannot make.
    __mapper_args__: Any = EAGER_DEFAULTS


class Stamped:
    """Time stamps that the server keeps, so that ORM, Core, COPY and psql all agree.

    `created_at` and `updated_at` start as the transaction's time; the trigger `set_updated_at`
    (app/db/ddl.py) stamps `updated_at` whenever a row really changes. `deleted_at` is null for a live row.
    """

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=LAST)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), server_onupdate=FetchedValue(), sort_order=LAST + 1
    )
    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=LAST + 2)


class TenantOwned(Stamped):
    """A row that belongs to one tenant.

    The tenant leads the primary key. A foreign key to such a row must then name the tenant too, so that no
    row can link to another tenant's; and the key's index finds all rows of a tenant, for the foreign key to
    `tenants` too.
    """

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=FIRST)
    id: Mapped[UUID] = mapped_column(
        primary_key=True, default=uuid7, server_default=text("uuid7()"), sort_order=FIRST + 1
    )


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Hold the column to these words. A CHECK, since a changed ENUM breaks the plans of live connections."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def length(column: str, longest: int) -> CheckConstraint:
    """Hold the text column to 1 to `longest` characters."""
    return CheckConstraint(f"char_length({column}) BETWEEN 1 AND {longest}", name=f"{column}_length")


def json_object(column: str) -> CheckConstraint:
    """Hold the jsonb column to objects: no lists, no bare values."""
    return CheckConstraint(f"jsonb_typeof({column}) = 'object'", name=f"{column}_object")
