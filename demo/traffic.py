"""The day's traffic: a seeded sequence of operations, sent to the service over a few connections at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from random import Random

import httpx

from demo.desk import Desk, TrafficError, client, open_desk
from demo.guests import Directory, choose, make_directory
from demo.operations import OPERATIONS, Operation, Values
from demo.scale import Scale
from demo.service import Service

COUNT = 1_200
CONNECTIONS = 6
# In this part of the day the hotels' PMS is down: the circuit breaker opens, and old answers are served.
PMS_DOWN = (0.60, 0.65)
FARTHEST_ARRIVAL = 45

_BOUNDS = tuple(accumulate(operation.weight for operation in OPERATIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation with what it says."""

    operation: Operation
    values: Values


def make_calls(scale: Scale, seed: int, until: datetime, today: date) -> list[Call]:
    """Give the whole sequence; `until` is the end of the loaded year, and `today` the day that guests write on."""
    directory = make_directory(scale, seed, until)
    random = Random(f"{seed}:traffic")
    return [
        Call(operation=choose(OPERATIONS, _BOUNDS, random), values=_values(directory, today, number, random))
        for number in range(COUNT)
    ]


def _values(directory: Directory, today: date, number: int, random: Random) -> Values:
    tenant = directory.tenant(random)
    guest = directory.identifier(tenant, random)
    # Most ask about the next days: a few stays are asked for again and again.
    arrival = today + timedelta(days=int(random.random() ** 3 * FARTHEST_ARRIVAL))
    return Values(
        tenant=directory.tenants[tenant].id,
        user=guest.user,
        platform=guest.platform,
        value=guest.value,
        arrival=arrival,
        departure=arrival + timedelta(days=1 + int(random.random() ** 2 * 4)),
        guests=1 + int(random.random() ** 2 * 4),
        room=str(101 + int(random.random() * 40)),
        page=1 + int(random.random() ** 2 * 20),
        number=number,
    )


def run(service: Service, calls: Sequence[Call]) -> None:
    """Send everything, dealt out to the connections in turn. Raises TrafficError for an answer that should not be."""
    try:
        asyncio.run(_run(service, calls))
    except* TrafficError as errors:
        raise errors.exceptions[0] from errors


async def _run(service: Service, calls: Sequence[Call]) -> None:
    first, last = (int(share * len(calls)) for share in PMS_DOWN)
    tenants = sorted({call.values.tenant for call in calls})
    async with client(service, CONNECTIONS) as http:
        desk = await open_desk(http, service, tenants)
        await _send(desk, calls[:first])
        async with _pms_down(service):
            await _send(desk, calls[first:last])
        await _send(desk, calls[last:])


async def _send(desk: Desk, calls: Sequence[Call]) -> None:
    async with asyncio.TaskGroup() as workers:
        for number in range(CONNECTIONS):
            workers.create_task(_work(desk, calls[number::CONNECTIONS]))


async def _work(desk: Desk, calls: Sequence[Call]) -> None:
    for call in calls:
        await call.operation.run(desk, call.values)


@asynccontextmanager
async def _pms_down(service: Service) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=service.pms_url, trust_env=False) as pms:
        (await pms.put("/_dial", json={"mode": "down"})).raise_for_status()
        yield
        (await pms.put("/_dial", json={"mode": "up"})).raise_for_status()
