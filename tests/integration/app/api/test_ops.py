"""Who holds which connection: for the operator's eyes, down to the line and the route, and without anybody's name."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dbvitals.snapshot_pool import PoolObservation
from tests.integration.app.api.ground import OPERATOR, House, is_problem
from tests.integration.app.hotel import Owner

PATH = "/ops/connections"


async def observed(house: House) -> PoolObservation:
    answer = await house.http.get(PATH, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    [found] = msgspec.json.decode(answer.content, type=list[PoolObservation])
    return found


async def held(house: House, route: str) -> Any:
    """The connection on which a tenant's rows are read; before it, another reads whose token it is."""
    async with asyncio.timeout(60):
        while True:
            for connection in (await observed(house)).connections:
                if connection.route == route and connection.tenant_hash:
                    return connection
            await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_a_request_that_waits_is_named_by_line_and_route_and_its_tenant_by_a_hash(
    house: House, database: str, connect: Callable[[str], Owner]
) -> None:
    blocker = connect(database)
    with blocker.transaction():
        blocker.execute("lock table sessions")
        waiting = asyncio.create_task(house.http.get("/v1/sessions", headers=house.ours))
        found = await held(house, "GET /v1/sessions")
    assert (await waiting).status_code == 200
    file, _, function = found.site.partition(":")
    assert file == "app/services/guest_sessions.py"
    assert function.endswith(" listed")
    assert str(house.hotel.ours.tenant_id) not in msgspec.json.encode(found).decode()
    assert house.hotel.one("select count(*) from pg_stat_activity where pid = %s", found.backend_pid) == (1,)


@pytest.mark.asyncio
async def test_what_is_given_back_is_held_no_more(house: House) -> None:
    for _ in range(3):
        assert (await house.write()).status_code == 200
    found = await observed(house)
    assert [held.route for held in found.connections if held.route == "POST /v1/messages"] == []
    assert found.window.checkouts >= 3
    assert found.pool.size == house.parts.settings.postgres_pool_size


@pytest.mark.asyncio
async def test_it_is_for_the_operator_only(house: House) -> None:
    is_problem(await house.http.get(PATH), 401)
    is_problem(await house.http.get(PATH, headers=house.ours), 403)


@pytest.mark.asyncio
async def test_the_metrics_have_opentelemetrys_names_as_well(house: House) -> None:
    page = (await house.http.get("/metrics")).text
    for name in ("count", "max", "pending_requests", "wait_time_seconds_count", "use_time_seconds_count"):
        assert f"db_client_connection_{name}{{" in page
