"""What row level security leaves open, and keys close: unique violations and foreign keys that cross tenants."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.errors import Conflict
from app.core.ids import uuid7
from app.db.tables import Lock, Session, TenantUserIdentifier, metadata
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio


async def test_another_tenants_key_is_free_to_use(hotel: Hotel, service: Database) -> None:
    """No duplicate key tells that another tenant's row is there: the tenant is part of every key."""
    theirs = hotel.add_identifier(hotel.theirs, "+34 600 000 001")
    values = {"id": theirs, "tenant_id": hotel.ours.tenant_id, "user_id": uuid7(), "platform": "sms"}
    statement = postgresql.insert(TenantUserIdentifier).values(**values, identifier_value="+34 600 000 002")
    async with service.unit_of_work(hotel.ours) as session:
        made = await session.scalar(statement.on_conflict_do_nothing().returning(TenantUserIdentifier.id))
    assert made == theirs
    assert hotel.one("select count(*) from tenant_user_identifiers where id = %s", theirs) == (2,)


async def test_another_tenants_lock_does_not_show(hotel: Hotel, service: Database) -> None:
    for scope in (hotel.theirs, hotel.ours):
        async with service.unit_of_work(scope) as session:
            values = {"tenant_id": scope.tenant_id, "resource": "room:101", "owner": "desk"}
            await session.execute(insert(Lock).values(**values, expires_at=text("now() + interval '1 hour'")))
            assert len((await session.scalars(select(Lock))).all()) == 1


async def test_no_row_can_link_to_another_tenants(hotel: Hotel, service: Database) -> None:
    theirs = hotel.add_identifier(hotel.theirs, "+34 600 000 001")
    values = {"user_id": uuid7(), "identifier_id": theirs, "platform": "phone"}
    with pytest.raises(Conflict):
        async with service.unit_of_work(hotel.ours) as session:
            await session.execute(insert(Session).values(tenant_id=hotel.ours.tenant_id, **values))


async def test_no_row_moves_to_another_tenant(hotel: Hotel, service: Database) -> None:
    hotel.add_identifier(hotel.ours, "+34 600 000 001")
    with pytest.raises(DBAPIError, match="row-level security"):
        async with service.unit_of_work(hotel.ours) as session:
            await session.execute(
                text("update tenant_user_identifiers set tenant_id = :t"), {"t": hotel.theirs.tenant_id}
            )


async def test_every_unique_index_names_the_tenant_but_those_that_ask_for_it(hotel: Hotel) -> None:
    """An identifier is one tenant's, by purpose: whoever adds it learns that it is taken, not by whom.

    So is a token, which the service cannot write.
    """
    found = hotel.owner.execute(
        "select indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid"
        " where indisunique and relname = any(%s) and not exists (select from pg_attribute a"
        " where a.attrelid = i.indrelid and a.attname = 'tenant_id'"
        " and a.attnum = any((i.indkey::int2[])[0:indnkeyatts - 1])) order by 1",
        [[name for name in metadata.tables if name != "tenants"]],
    ).fetchall()
    assert found == [("idx_api_tokens_id",), ("idx_tenant_user_identifiers_value_platform",)]


async def test_the_message_of_a_clash_says_nothing_of_the_other_row(hotel: Hotel, service: Database) -> None:
    hotel.add_identifier(hotel.theirs, "+34 600 000 001")
    values = {"user_id": uuid7(), "platform": "phone", "identifier_value": "+34 600 000 001"}
    with pytest.raises(Conflict) as caught:
        async with service.unit_of_work(hotel.ours) as session:
            await session.execute(insert(TenantUserIdentifier).values(tenant_id=hotel.ours.tenant_id, **values))
    assert "600" not in str(caught.value)
    assert str(hotel.theirs.tenant_id) not in str(caught.value)
