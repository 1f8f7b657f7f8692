"""Every form of change leaves exactly one audit row per changed row, and what changes nothing leaves none."""

import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects import postgresql

from app.core.database import Database, WriteSession
from app.core.ids import uuid7
from app.db import protection
from app.db.tables import Lock, TenantUserIdentifier, metadata
from tests.integration.app.audit_trigger.trail import Change, Trail
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

Identifier = TenantUserIdentifier
TABLE = "tenant_user_identifiers"
Psql = Callable[[str, str], "subprocess.CompletedProcess[str]"]
# Does something to the rows with these keys; gives the keys of those that changed.
Form = Callable[[WriteSession, list[UUID]], Awaitable[Iterable[UUID]]]


def row(session: WriteSession, key: UUID) -> dict[str, object]:
    values = {"id": key, "user_id": uuid7(), "platform": "sms", "identifier_value": f"+{key.int}"}
    return {"tenant_id": session.scope.tenant_id, **values}


async def orm_add(session: WriteSession, _: list[UUID]) -> list[UUID]:
    made = [Identifier(**row(session, uuid7())) for _ in range(3)]
    session.add_all(made)
    await session.flush()
    return [item.id for item in made]


async def core_insert(session: WriteSession, _: list[UUID]) -> list[UUID]:
    key = uuid7()
    await session.execute(insert(metadata.tables[TABLE]).values(**row(session, key)))
    return [key]


async def bulk_insert(session: WriteSession, _: list[UUID]) -> list[UUID]:
    keys = [uuid7() for _ in range(50)]
    await session.execute(insert(Identifier), [row(session, key) for key in keys])
    return keys


async def insert_by_unnest(session: WriteSession, _: list[UUID]) -> list[UUID]:
    keys = [uuid7() for _ in range(50)]
    statement = text(
        "insert into tenant_user_identifiers (tenant_id, id, user_id, platform, identifier_value)"
        " select :tenant, key, key, 'sms', key::text from unnest(cast(:keys as uuid[])) as key"
    )
    await session.execute(statement, {"tenant": session.scope.tenant_id, "keys": keys})
    return keys


async def insert_or_nothing(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    new = uuid7()
    rows = [row(session, key) for key in [*keys, new]]
    await session.execute(postgresql.insert(Identifier).values(rows).on_conflict_do_nothing())
    return [new]


async def upsert_new(session: WriteSession, _: list[UUID]) -> list[UUID]:
    return await _upsert(session, [uuid7()], "email")


async def orm_update(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    for item in await session.scalars(select(Identifier)):
        item.platform = "email"
    await session.flush()
    return keys


async def bulk_update(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(update(Identifier).values(verified_at=func.now()))
    return keys


async def bulk_update_by_key(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    tenant = session.scope.tenant_id
    await session.execute(update(Identifier), [{"tenant_id": tenant, "id": key, "platform": "email"} for key in keys])
    return keys


async def upsert_existing(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    return await _upsert(session, keys, "email")


async def update_from(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(
        text("update tenant_user_identifiers i set platform = 'email' from tenants t where t.id = i.tenant_id")
    )
    return keys


async def update_in_with(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(
        text(
            "with changed as (update tenant_user_identifiers set platform = 'email' where id = :id returning id)"
            " select count(*) from changed"
        ),
        {"id": keys[0]},
    )
    return keys[:1]


async def merge(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(
        text(
            "merge into tenant_user_identifiers i using unnest(cast(:keys as uuid[])) as s (key) on s.key = i.id"
            " when matched then update set platform = 'email'"
        ),
        {"keys": keys[:2]},
    )
    return keys[:2]


async def change_one_of_many(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(
        update(Identifier).values(verified_at=text("case when id = :changed then now() end")), {"changed": keys[0]}
    )
    return keys[:1]


async def soft_delete(session: WriteSession, keys: list[UUID]) -> list[UUID]:
    await session.execute(update(Identifier).where(Identifier.id == keys[0]).values(deleted_at=func.now()))
    return keys[:1]


async def update_to_the_same(session: WriteSession, _: list[UUID]) -> list[UUID]:
    await session.execute(update(Identifier).values(platform=Identifier.platform, verified_at=None))
    return []


async def touch(session: WriteSession, _: list[UUID]) -> list[UUID]:
    await session.execute(update(Identifier).values(updated_at=func.now()))
    return []


async def _upsert(session: WriteSession, keys: list[UUID], platform: str) -> list[UUID]:
    statement = postgresql.insert(Identifier).values([row(session, key) for key in keys])
    statement = statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_={"platform": platform})
    await session.execute(statement)
    return keys


INSERTS: tuple[Form, ...] = (orm_add, core_insert, bulk_insert, insert_by_unnest, insert_or_nothing, upsert_new)
UPDATES: tuple[Form, ...] = (
    orm_update, bulk_update, bulk_update_by_key, upsert_existing, update_from, update_in_with, merge,
    change_one_of_many, soft_delete, update_to_the_same, touch,
)  # fmt: skip


def expected(operation: str, keys: Iterable[UUID], table: str = TABLE) -> Counter[Change]:
    return Counter((operation, table, key) for key in keys)


async def test_every_form_leaves_one_row_per_changed_row(hotel: Hotel, service: Database) -> None:
    for operation, forms in (("insert", INSERTS), ("update", UPDATES)):
        for form in forms:
            hotel.owner.execute("delete from tenant_user_identifiers")
            keys = [hotel.add_identifier(hotel.ours, f"+34 600 000 00{number}") for number in range(3)]
            trail = Trail(hotel=hotel)
            async with service.unit_of_work(hotel.ours) as session:
                changed = list(await form(session, keys))
            assert trail.changes() == expected(operation, changed), form.__name__


async def test_what_is_taken_back_leaves_no_row(hotel: Hotel, service: Database) -> None:
    trail = Trail(hotel=hotel)
    async with service.unit_of_work(hotel.ours) as session:
        async with session.begin_nested() as savepoint:
            await orm_add(session, [])
            await savepoint.rollback()
        kept = await core_insert(session, [])
    assert trail.changes() == expected("insert", kept)


async def test_an_owners_copy_deletes_and_psql_are_seen(hotel: Hotel, database: str, psql: Psql) -> None:
    trail = Trail(hotel=hotel)
    keys = [uuid7() for _ in range(100)]
    columns = "tenant_id, id, user_id, platform, identifier_value"
    with hotel.owner.cursor() as cursor, cursor.copy(f"copy {TABLE} ({columns}) from stdin".encode()) as copy:
        for key in keys:
            copy.write_row((hotel.ours.tenant_id, key, key, "sms", str(key)))
    assert trail.changes() == expected("insert", keys)

    trail = Trail(hotel=hotel)
    done = psql(database, f"update {TABLE} set platform = 'email' where id = '{keys[0]}'; delete from {TABLE};")
    assert done.stderr == ""
    assert trail.changes() == expected("update", keys[:1]) + expected("delete", keys)


async def test_cascades_are_seen(hotel: Hotel) -> None:
    """On a table that a later migration may add, with what each table is given."""
    hotel.owner.execute(
        "create table notes (tenant_id uuid not null references tenants, id uuid primary key default uuid7(),"
        " identifier_id uuid, other_id uuid, updated_at timestamptz not null default now(),"
        " foreign key (tenant_id, identifier_id) references tenant_user_identifiers on delete cascade,"
        " foreign key (tenant_id, other_id) references tenant_user_identifiers on delete set null (other_id))"
    )
    hotel.owner.execute(protection.audit("notes").encode())
    first, second = (hotel.add_identifier(hotel.ours, value) for value in ("+1", "+2"))
    add = "insert into notes (tenant_id, identifier_id, other_id) values (%s, %s, %s) returning id"
    gone = [hotel.one(add, hotel.ours.tenant_id, first, None)[0] for _ in range(3)]
    left = hotel.one(add, hotel.ours.tenant_id, second, first)[0]
    trail = Trail(hotel=hotel)
    hotel.owner.execute("delete from tenant_user_identifiers where id = %s", [first])
    assert trail.changes() == (
        expected("delete", [first])
        + expected("delete", gone, "notes")  # type: ignore[arg-type]
        + expected("update", [left], "notes")  # type: ignore[list-item]
    )


async def test_a_leases_renewal_leaves_no_row_but_its_grant_and_release_do(hotel: Hotel, service: Database) -> None:
    later = text("clock_timestamp() + interval '1 hour'")
    trail = Trail(hotel=hotel)
    async with service.unit_of_work(hotel.ours) as session:
        values = {"tenant_id": hotel.ours.tenant_id, "resource": "room:101", "owner": "desk", "expires_at": later}
        key = await session.scalar(insert(Lock).values(**values).returning(Lock.id))
        assert key is not None
        for _ in range(3):
            await session.execute(update(Lock).values(expires_at=later))
    assert trail.changes() == expected("insert", [key], "locks")
    trail = Trail(hotel=hotel)
    async with service.unit_of_work(hotel.ours) as session:
        await session.execute(update(Lock).values(expires_at=later, released_at=later))
    assert trail.only()["details"]["new"].keys() == {"expires_at", "released_at"}
