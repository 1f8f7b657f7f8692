"""Access to the rows of one tenant: live ones unless asked, in an order that never ties, taken back and restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Function, Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.database import ReadSession, WriteSession
from app.core.errors import NotFound
from app.core.tenancy import TenantScope
from app.db.base import TenantOwned

Entity = TypeVar("Entity", bound=TenantOwned)


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order of rows, by these columns and at last by `id`: rows that tie still have one order on every page."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    direction: Literal["ascending", "descending"]

    def clauses(self, model: type[TenantOwned]) -> list[ColumnElement[Any]]:
        """What ORDER BY says; the direction is one for all columns, so that an index can be read either way."""
        columns = [*(column for column in self.columns if column.key != "id"), model.id]
        return [column.asc() if self.direction == "ascending" else column.desc() for column in columns]


class Repository(Generic[Entity]):
    """The rows of one table that a session's tenant has; soft-deleted ones are left out where the name does not say so.

    The tenant is named in every statement, so that indexes are found by it; row level security would hold
    the rows of others back without that too.
    """

    def __init__(self, model: type[Entity]) -> None:
        self._model = model

    def live(self, scope: TenantScope) -> Select[Entity]:
        """Rows that are not deleted; narrow it with `where`, and read it with `listed` or `rows`."""
        return self.with_deleted(scope).where(self._model.deleted_at.is_(None))

    def deleted(self, scope: TenantScope) -> Select[Entity]:
        """Rows that are soft-deleted."""
        return self.with_deleted(scope).where(self._model.deleted_at.is_not(None))

    def with_deleted(self, scope: TenantScope) -> Select[Entity]:
        """All rows."""
        return select(self._model).where(self._model.tenant_id == scope.tenant_id)

    async def get(self, session: ReadSession, key: UUID) -> Entity:
        """The live row with this id. Raises NotFound."""
        return await self._one(session, self.live(session.scope), key)

    async def listed(
        self, session: ReadSession, statement: Select[Entity], ordering: Ordering, limit: int
    ) -> Sequence[Entity]:
        """Up to `limit` entities of a statement of this repository."""
        return (await session.scalars(self._bounded(statement, ordering, limit))).all()

    async def rows(
        self,
        session: ReadSession,
        statement: Select[Entity],
        columns: Sequence[InstrumentedAttribute[Any]],
        ordering: Ordering,
        limit: int,
    ) -> Sequence[Row[Any]]:
        """The same as plain rows of these columns only, for what is shown and not changed."""
        projected = self._bounded(statement, ordering, limit).with_only_columns(*columns)
        return (await session.execute(projected)).all()

    async def soft_delete(self, session: WriteSession, key: UUID) -> None:
        """Mark a live row as deleted, by the server's clock. Raises NotFound when there is none."""
        entity = await self.get(session, key)
        await self._stamp(session, entity, func.clock_timestamp())

    async def restore(self, session: WriteSession, key: UUID) -> None:
        """Make a soft-deleted row live again.

        Raises NotFound when there is none, and Conflict when a live row has taken its place.
        """
        entity = await self._one(session, self.deleted(session.scope), key)
        await self._stamp(session, entity, None)

    def _bounded(self, statement: Select[Entity], ordering: Ordering, limit: int) -> Select[Entity]:
        return statement.order_by(*ordering.clauses(self._model)).limit(limit)

    async def _one(self, session: ReadSession, statement: Select[Entity], key: UUID) -> Entity:
        found = (await session.scalars(statement.where(self._model.id == key))).one_or_none()
        if found is None:
            raise NotFound(f"there is no {self._model.__name__} with this id")
        return found

    async def _stamp(self, session: WriteSession, entity: Entity, moment: Function[datetime] | None) -> None:
        # Through the entity, so that a version that the model counts moves too and stale writers are refused.
        entity.deleted_at = moment
        await session.flush()
