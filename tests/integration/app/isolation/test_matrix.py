"""The isolation matrix: every access path with the right tenant, with another tenant, and with none."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.core.database import Database
from app.core.tenancy import TenantScope
from app.db.tables import metadata
from tests.integration.app.hotel import Hotel
from tests.integration.app.isolation.paths import (
    CLOSED,
    OPEN,
    Path,
    Target,
    core_update,
    orm_delete,
    stream,
    truncate,
)

pytestmark = pytest.mark.asyncio

Begin = Callable[[], AbstractAsyncContextManager[AsyncSession]]
INSUFFICIENT_PRIVILEGE = "42501"
ROWS_OF = (
    "with rows as (select to_jsonb(i) as r from tenant_user_identifiers i union all select to_jsonb(s) from sessions s"
    " union all select to_jsonb(t) from tenants t union all select to_jsonb(a) from audit_logs a)"
    " select array_agg(r order by r::text) from rows where r ->> 'tenant_id' = %s::text"
)


def tenant_tables() -> list[str]:
    return [table.name for table in metadata.tables.values()]


def add_target(hotel: Hotel, scope: TenantScope) -> Target:
    session = hotel.add_session(scope)
    identifier = hotel.one("select identifier_id from sessions where id = %s", session)[0]
    return Target(tenant=scope.tenant_id, session=session, identifier=identifier)  # type: ignore[arg-type]


async def reach(begin: Begin, path: Path, target: Target) -> str:
    """What came of it: reached, nothing, refused."""
    try:
        async with begin() as session:
            found = await path(session, target)
    except StaleDataError:
        return "nothing"
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
            return "refused"
        raise
    except Exception as error:  # the driver's own, where a path goes around SQLAlchemy
        if getattr(error, "sqlstate", None) == INSUFFICIENT_PRIVILEGE or "COPY FROM not supported" in str(error):
            return "refused"
        raise
    return "reached" if found else "nothing"


async def outcomes(begin: Begin, paths: tuple[Path, ...], target: Target) -> dict[str, str]:
    return {path.__name__: await reach(begin, path, target) for path in paths}


def no_tenant(engine: AsyncEngine) -> Begin:
    """Transactions that say nothing of a tenant."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session, session.begin():
            yield session

    return begin


async def test_with_the_right_tenant_the_open_paths_reach_the_row(hotel: Hotel, service: Database) -> None:
    target = add_target(hotel, hotel.ours)
    add_target(hotel, hotel.theirs)
    found = await outcomes(lambda: service.unit_of_work(hotel.ours), OPEN, target)
    assert found == dict.fromkeys(found, "reached")
    assert len(found) >= 25


async def test_no_path_reaches_another_tenants_row(hotel: Hotel, service: Database) -> None:
    add_target(hotel, hotel.ours)
    target = add_target(hotel, hotel.theirs)
    before = hotel.one(ROWS_OF, target.tenant)
    found = await outcomes(lambda: service.unit_of_work(hotel.ours), (*OPEN, *CLOSED), target)
    assert {path for path, outcome in found.items() if outcome == "reached"} == set()
    assert hotel.one(ROWS_OF, target.tenant) == before


async def test_without_a_tenant_no_path_reaches_any_row(hotel: Hotel, service: Database) -> None:
    target = add_target(hotel, hotel.ours)
    before = hotel.one(ROWS_OF, target.tenant)
    paths = (*OPEN, *CLOSED)
    # A cursor needs a transaction, which a hot read does without.
    hot_paths = tuple(path for path in paths if path is not stream)
    for engine, tried in ((service.engine, paths), (service.hot, hot_paths)):
        found = await outcomes(no_tenant(engine), tried, target)
        assert {path for path, outcome in found.items() if outcome == "reached"} == set()
    assert hotel.one(ROWS_OF, target.tenant) == before


async def test_some_things_the_service_may_not_do_to_its_own_tenants_rows_either(
    hotel: Hotel, service: Database
) -> None:
    target = add_target(hotel, hotel.ours)
    found = await outcomes(lambda: service.unit_of_work(hotel.ours), CLOSED, target)
    assert found.pop("statistics") == "nothing"
    assert found == dict.fromkeys(found, "refused")


async def test_a_reading_transaction_writes_nothing(hotel: Hotel, service: Database) -> None:
    target = add_target(hotel, hotel.ours)
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with service.read(hotel.ours) as session:
            await core_update(session, target)


async def test_the_admins_role_reaches_all_tenants_but_deletes_nothing(hotel: Hotel, service: Database) -> None:
    targets = [add_target(hotel, scope) for scope in (hotel.ours, hotel.theirs)]
    for target in targets:
        found = await outcomes(lambda: service.admin("operator", "request-9"), OPEN, target)
        assert found == dict.fromkeys(found, "reached")
        closed = await outcomes(lambda: service.admin("operator", "request-9"), (orm_delete, truncate), target)
        assert closed == dict.fromkeys(closed, "refused")


async def test_the_owner_of_the_tables_is_held_too(hotel: Hotel, service: Database) -> None:
    """Row level security is forced, so that even a login that owns the tables sees no row without a policy."""
    add_target(hotel, hotel.ours)
    forced = "select bool_and(relrowsecurity and relforcerowsecurity) from pg_class where relname = any(%s)"
    assert hotel.one(forced, tenant_tables()) == (True,)
    hotel.owner.execute("create role owner_of_tables")
    with hotel.owner.transaction(force_rollback=True):
        hotel.owner.execute("alter table sessions owner to owner_of_tables")
        hotel.owner.execute("set local role owner_of_tables")
        assert hotel.one("select count(*) from sessions") == (0,)
    hotel.owner.execute("drop role owner_of_tables")
