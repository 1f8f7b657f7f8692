"""Leases that nobody gave back are cleaned up, by the index that is for it and without harm to those alive."""

from datetime import timedelta

import psycopg
import pytest

from app.core.database import Database
from app.db.ddl import read_sql
from app.services.leases import Leases, clean_leases
from tests.integration.app.hotel import Hotel

LONG = timedelta(seconds=30)

FILL = """
insert into locks (tenant_id, resource, owner, acquired_at, expires_at, released_at)
select %s, 'room:' || n, 'desk', now() - interval '1 hour', now() - interval '1 hour' + n * interval '1 ms',
       case when n > %s then now() - interval '50 minutes' end
from generate_series(1, %s) as n
"""


def fill(hotel: Hotel, expired: int, released: int) -> None:
    hotel.owner.execute("alter table locks disable trigger audit_change")
    hotel.owner.execute(FILL.encode(), [hotel.ours.tenant_id, expired, expired + released])


@pytest.mark.asyncio
async def test_expired_leases_of_all_hotels_end_when_they_ran_out(
    leases: Leases, service: Database, hotel: Hotel
) -> None:
    fill(hotel, expired=1200, released=3)
    for scope in (hotel.ours, hotel.theirs):
        await leases.acquire(scope, "spa", LONG)
    hotel.owner.execute(
        "update locks set acquired_at = '2020-01-01', expires_at = '2020-01-02' where tenant_id = %s",
        [hotel.theirs.tenant_id],
    )
    assert await clean_leases(service, "system:cleaner", "clean-1") == 1201
    assert hotel.one("select count(*) from locks where released_at is null") == (1,)
    assert hotel.one("select resource, tenant_id from locks where released_at is null") == ("spa", hotel.ours.tenant_id)
    assert hotel.one("select count(*) from locks where released_at = expires_at") == (1201,)
    assert await clean_leases(service, "system:cleaner", "clean-2") == 0


@pytest.mark.asyncio
async def test_a_cleaned_lease_goes_on_counting(leases: Leases, service: Database, hotel: Hotel) -> None:
    first = await leases.acquire(hotel.ours, "spa", LONG)
    assert first is not None
    hotel.owner.execute("update locks set acquired_at = '2020-01-01', expires_at = '2020-01-02'")
    assert await clean_leases(service, "system:cleaner", "clean-1") == 1
    assert await leases.release(hotel.ours, first) is False
    second = await leases.acquire(hotel.ours, "spa", LONG)
    assert second is not None
    assert second.token == 2


@pytest.mark.asyncio
async def test_a_lease_that_someone_works_on_is_left_alone(service: Database, hotel: Hotel, database: str) -> None:
    fill(hotel, expired=2, released=0)
    with psycopg.connect(database) as other:
        other.execute("update locks set expires_at = now() + interval '1 hour' where resource = 'room:1'")
        assert await clean_leases(service, "system:cleaner", "clean-1") == 1
        other.commit()
    assert hotel.one("select resource from locks where released_at is null") == ("room:1",)


def test_the_cleaner_reads_the_index_of_leases_that_are_not_given_back(hotel: Hotel) -> None:
    fill(hotel, expired=40, released=10_000)
    hotel.owner.execute("vacuum analyze locks")
    statement = read_sql("clean_leases.sql").replace(":batch", "500")
    rows = hotel.owner.execute(f"explain (analyze, costs off) {statement}".encode()).fetchall()
    plan = "\n".join(str(row[0]) for row in rows)
    assert "Index Scan using idx_locks_acquired_at on locks" in plan
    assert "Seq Scan" not in plan
