"""Repositories: live rows unless asked, rows taken back and restored, orders that never tie, bounded projections."""

from uuid import UUID

import pytest

from app.core.database import Database
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.db.repository import Ordering, Repository
from app.db.tables import Session, TenantUserIdentifier
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

identifiers = Repository(TenantUserIdentifier)
BY_PLATFORM = Ordering((TenantUserIdentifier.platform,), "ascending")
NEWEST = Ordering((TenantUserIdentifier.platform,), "descending")


async def keys(service: Database, hotel: Hotel, ordering: Ordering = BY_PLATFORM, limit: int = 100) -> list[UUID]:
    async with service.read(hotel.ours) as session:
        statement = identifiers.live(hotel.ours)
        return [found.id for found in await identifiers.listed(session, statement, ordering, limit)]


async def test_a_deleted_row_is_not_seen_unless_asked_for_and_comes_back(hotel: Hotel, service: Database) -> None:
    key, other = (hotel.add_identifier(hotel.ours, value) for value in ("+1", "+2"))
    async with service.unit_of_work(hotel.ours) as session:
        await identifiers.soft_delete(session, key)
    assert await keys(service, hotel) == [other]
    async with service.unit_of_work(hotel.ours) as session:
        with pytest.raises(NotFound):
            await identifiers.get(session, key)
        with pytest.raises(NotFound):
            await identifiers.soft_delete(session, key)
        deleted = await identifiers.listed(session, identifiers.deleted(hotel.ours), BY_PLATFORM, 10)
        everything = await identifiers.listed(session, identifiers.with_deleted(hotel.ours), BY_PLATFORM, 10)
        assert ([row.id for row in deleted], len(everything)) == ([key], 2)
        await identifiers.restore(session, key)
        with pytest.raises(NotFound):
            await identifiers.restore(session, key)
    assert await keys(service, hotel) == [key, other]


async def test_what_was_given_out_again_cannot_be_restored(hotel: Hotel, service: Database) -> None:
    key = hotel.add_identifier(hotel.ours, "+1")
    async with service.unit_of_work(hotel.ours) as session:
        await identifiers.soft_delete(session, key)
    hotel.add_identifier(hotel.theirs, "+1")
    with pytest.raises(Conflict):
        await restore(service, hotel, key)


async def restore(service: Database, hotel: Hotel, key: UUID) -> None:
    async with service.unit_of_work(hotel.ours) as session:
        await identifiers.restore(session, key)


async def test_another_tenants_row_is_not_found_as_if_there_were_none(hotel: Hotel, service: Database) -> None:
    theirs = hotel.add_identifier(hotel.theirs, "+1")
    messages = set()
    for key in (theirs, uuid7()):
        async with service.unit_of_work(hotel.ours) as session:
            for act in (identifiers.get, identifiers.soft_delete, identifiers.restore):
                with pytest.raises(NotFound) as caught:
                    await act(session, key)
                messages.add(str(caught.value))
    assert messages == {"there is no TenantUserIdentifier with this id"}


async def test_pages_of_rows_that_tie_neither_repeat_nor_skip(hotel: Hotel, service: Database) -> None:
    made = [hotel.add_identifier(hotel.ours, f"+{number}") for number in range(20)]
    assert await keys(service, hotel) == sorted(made)
    assert await keys(service, hotel, NEWEST) == sorted(made, reverse=True)
    assert await keys(service, hotel, NEWEST, limit=3) == sorted(made, reverse=True)[:3]


async def test_an_ordering_always_ends_in_the_key() -> None:
    clauses = BY_PLATFORM.clauses(TenantUserIdentifier)
    assert [str(clause).removeprefix("tenant_user_identifiers.") for clause in clauses] == ["platform ASC", "id ASC"]
    assert len(Ordering((TenantUserIdentifier.id,), "descending").clauses(TenantUserIdentifier)) == 1


async def test_a_projection_reads_only_what_is_named(hotel: Hotel, service: Database) -> None:
    hotel.add_identifier(hotel.ours, "+1")
    columns = (TenantUserIdentifier.platform, TenantUserIdentifier.identifier_value)
    async with service.read(hotel.ours) as session:
        rows = await identifiers.rows(session, identifiers.live(hotel.ours), columns, BY_PLATFORM, 10)
    assert [tuple(row) for row in rows] == [("phone", "+1")]


async def test_soft_deletion_moves_the_version_that_a_model_counts(hotel: Hotel, service: Database) -> None:
    key = hotel.add_session(hotel.ours)
    async with service.unit_of_work(hotel.ours) as session:
        await Repository(Session).soft_delete(session, key)
    assert hotel.one("select version, deleted_at <= clock_timestamp() from sessions") == (2, True)
