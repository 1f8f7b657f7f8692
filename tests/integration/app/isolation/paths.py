"""Every way that code has been seen to reach a row: each tries for one guest's identifier of one tenant."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, literal, select, text, union_all, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.core.ids import uuid7
from app.db.tables import Session, Tenant, TenantUserIdentifier

Identifier = TenantUserIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is tried for: a tenant's identifier, and the session that goes with it."""

    tenant: UUID
    identifier: UUID
    session: UUID

    @property
    def key(self) -> dict[str, UUID]:
        return {"tenant_id": self.tenant, "id": self.identifier}

    @property
    def row(self) -> dict[str, Any]:
        """A whole row under the target's key."""
        return {**self.key, "user_id": uuid7(), "platform": "sms", "identifier_value": f"+{uuid7().int}"}

    @property
    def new_row(self) -> dict[str, Any]:
        return {**self.row, "id": uuid7()}


# Whether the row was seen or written.
Path = Callable[[AsyncSession, Target], Awaitable[bool]]


def _mine(target: Target) -> Any:
    return select(Identifier).where(Identifier.id == target.identifier)


async def _found(session: AsyncSession, statement: Any, parameters: Any = None) -> bool:
    """Whether anything comes back that is not null, false or 0."""
    return bool((await session.execute(statement, parameters)).scalar())


async def select_entity(session: AsyncSession, target: Target) -> bool:
    return await _found(session, _mine(target))


async def select_column(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(Identifier.identifier_value).where(Identifier.id == target.identifier))


async def select_count(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(func.count()).where(Identifier.id == target.identifier))


async def select_exists(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(exists().where(Identifier.id == target.identifier)))


async def select_in(session: AsyncSession, target: Target) -> bool:
    ids = select(Identifier.id).where(Identifier.id == target.identifier)
    return await _found(session, select(Session.id).where(Session.identifier_id.in_(ids)))


async def select_cte(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(_mine(target).cte().c.identifier_value))


async def select_subquery(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(_mine(target).subquery().c.identifier_value))


async def select_union(session: AsyncSession, target: Target) -> bool:
    ids = select(Identifier.id).where(Identifier.id == target.identifier)
    return await _found(session, union_all(ids, ids))


async def select_for_update(session: AsyncSession, target: Target) -> bool:
    return await _found(session, _mine(target).with_for_update())


async def get_by_key(session: AsyncSession, target: Target) -> bool:
    return await session.get(Identifier, target.key) is not None


async def get_from_identity_map(session: AsyncSession, target: Target) -> bool:
    await session.execute(select(Identifier))
    return await session.get(Identifier, target.key) is not None


async def load_by_selectin(session: AsyncSession, target: Target) -> bool:
    statement = select(Session).options(selectinload(Session.identifier))
    return target.identifier in {found.identifier.id for found in await session.scalars(statement)}


async def load_by_join(session: AsyncSession, target: Target) -> bool:
    statement = select(Session).options(joinedload(Session.identifier).joinedload(Identifier.tenant))
    return target.identifier in {found.identifier.id for found in await session.scalars(statement)}


async def select_the_tenant(session: AsyncSession, target: Target) -> bool:
    return await _found(session, select(Tenant.name).where(Tenant.id == target.tenant))


async def select_the_trail(session: AsyncSession, target: Target) -> bool:
    return await _found(session, text("select count(*) from audit_logs where tenant_id = :tenant"), _tenant(target))


async def stream(session: AsyncSession, target: Target) -> bool:
    rows = await session.stream_scalars(select(Identifier).execution_options(yield_per=10))
    return target.identifier in [row.id async for row in rows]


async def select_from_table(session: AsyncSession, target: Target) -> bool:
    table = Identifier.__table__
    return await _found(session, select(table.c.identifier_value).where(table.c.id == target.identifier))


async def select_text(session: AsyncSession, target: Target) -> bool:
    statement = text("select identifier_value from tenant_user_identifiers where id = :id")
    return await _found(session, statement, {"id": target.identifier})


async def select_entity_from_text(session: AsyncSession, target: Target) -> bool:
    statement = text("select * from tenant_user_identifiers where id = :id").bindparams(id=target.identifier)
    return await _found(session, select(Identifier).from_statement(statement))


async def core_connection(session: AsyncSession, target: Target) -> bool:
    connection = await session.connection()
    return bool((await connection.execute(_mine(target))).first())


async def drivers_connection(session: AsyncSession, target: Target) -> bool:
    driver = await _driver(session)
    return bool(await driver.fetch("select from tenant_user_identifiers where id = $1", target.identifier))


async def copy_out(session: AsyncSession, target: Target) -> bool:
    driver = await _driver(session)
    lines: list[bytes] = []

    async def keep(data: bytes) -> None:
        lines.append(data)

    await driver.copy_from_table("tenant_user_identifiers", columns=["id"], output=keep)
    return str(target.identifier) in b"".join(lines).decode()


async def orm_update(session: AsyncSession, target: Target) -> bool:
    statement = update(Identifier).where(Identifier.id == target.identifier).values(verified_at=func.now())
    return await _found(session, statement.returning(Identifier.id))


async def orm_update_by_key(session: AsyncSession, target: Target) -> bool:
    await session.execute(update(Identifier), [{**target.key, "platform": "email"}])
    return True


async def core_update(session: AsyncSession, target: Target) -> bool:
    statement = text("update tenant_user_identifiers set platform = 'telegram' where id = :id returning id")
    return await _found(session, statement, {"id": target.identifier})


async def orm_delete(session: AsyncSession, target: Target) -> bool:
    return await _found(session, delete(Identifier).where(Identifier.id == target.identifier).returning(Identifier.id))


async def truncate(session: AsyncSession, _: Target) -> bool:
    await session.execute(text("truncate tenant_user_identifiers cascade"))
    return True


async def insert_of_tenant(session: AsyncSession, target: Target) -> bool:
    return await _found(session, insert(Identifier).values(**target.new_row).returning(Identifier.id))


async def insert_by_unnest(session: AsyncSession, target: Target) -> bool:
    statement = text(
        "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
        " select * from unnest(array[cast(:tenant as uuid)], array[uuid7()], array['sms'], array[uuid7()::text])"
        " returning id"
    )
    return await _found(session, statement, _tenant(target))


async def insert_audit_event(session: AsyncSession, target: Target) -> bool:
    statement = text("insert into audit_logs (tenant_id, event_type) values (:tenant, 'login') returning id")
    return await _found(session, statement, _tenant(target))


async def copy_in(session: AsyncSession, target: Target) -> bool:
    driver = await _driver(session)
    names = ["tenant_id", "user_id", "platform", "identifier_value"]
    row = [(target.tenant, uuid7(), "sms", "+1")]
    await driver.copy_records_to_table("tenant_user_identifiers", records=row, columns=names)
    return True


async def upsert(session: AsyncSession, target: Target) -> bool:
    statement = postgresql.insert(Identifier).values(**target.row)
    statement = statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_={"platform": "messenger"})
    return await _found(session, statement.returning(Identifier.id))


async def insert_or_nothing(session: AsyncSession, target: Target) -> bool:
    statement = postgresql.insert(Identifier).values(**target.new_row).on_conflict_do_nothing()
    return await _found(session, statement.returning(Identifier.id))


async def merge_entity(session: AsyncSession, target: Target) -> bool:
    await session.merge(Identifier(**target.row))
    await session.flush()
    return True


async def merge_statement(session: AsyncSession, target: Target) -> bool:
    driver = await _driver(session)
    statement = (
        "merge into tenant_user_identifiers i using (select $1::uuid as id) s on s.id = i.id"
        " when matched then update set platform = 'webchat'"
    )
    return bool(await driver.execute(statement, target.identifier) == "MERGE 1")


async def rename_tenant(session: AsyncSession, target: Target) -> bool:
    statement = update(Tenant).where(Tenant.id == target.tenant).values(name=literal("o'neil"))
    return await _found(session, statement.returning(Tenant.id))


async def statistics(session: AsyncSession, _: Target) -> bool:
    statement = text("select count(*) from pg_stats where tablename = 'tenant_user_identifiers'")
    return await _found(session, statement)


async def key_of_the_trail(session: AsyncSession, _: Target) -> bool:
    return await _found(session, text("select inner_pad from audit_keys"))


async def hash_of_the_trail(session: AsyncSession, _: Target) -> bool:
    return await _found(session, text("select audit_hash('+34 600 000 001')"))


async def become_admin(session: AsyncSession, target: Target) -> bool:
    await session.execute(text("set local role hotel_admin"))
    return await select_entity(session, target)


async def _driver(session: AsyncSession) -> Any:
    raw = await (await session.connection()).get_raw_connection()
    # A statement first: SQLAlchemy begins the transaction with it.
    await session.execute(text("select 1"))
    return raw.driver_connection


def _tenant(target: Target) -> dict[str, UUID]:
    return {"tenant": target.tenant}


# With the right tenant these reach the row; with another, or none, nothing may.
OPEN: tuple[Path, ...] = (
    select_entity, select_column, select_count, select_exists, select_in, select_cte, select_subquery, select_union,
    select_for_update, get_by_key, get_from_identity_map, load_by_selectin, load_by_join, select_the_tenant,
    select_the_trail, stream, select_from_table, select_text, select_entity_from_text, core_connection,
    drivers_connection, copy_out, orm_update, orm_update_by_key, core_update, insert_of_tenant, insert_by_unnest,
    insert_audit_event, upsert, insert_or_nothing, merge_entity, merge_statement, rename_tenant,
)  # fmt: skip
# These are closed to the service altogether.
CLOSED: tuple[Path, ...] = (
    orm_delete, truncate, copy_in, statistics, key_of_the_trail, hash_of_the_trail, become_admin,
)  # fmt: skip
