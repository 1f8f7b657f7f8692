"""Messages a second through the whole service, over HTTP, with warm caches; and what each of them costs.

One process of the service, the sandbox PMS and the servers beside it; the driver is a process of its own, with httpx.
Guests of 20 hotels write, and every other message asks for a stay that the cache knows. `statements` are those that
the service's login sent to PostgreSQL, a message; BEGIN and COMMIT are `transaction`. CPU is the service's process's.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from app.db.migrate import upgrade
from benchmarks.report import show
from demo import service
from demo.desk import Desk, client, open_desk
from demo.guests import Identifier, make_directory
from demo.load import load
from demo.run import UNTIL
from demo.scale import SMALL
from demo.servers import Servers, running
from demo.service import SERVICE, Service

HOTELS = 20
# Of each, so that none writes more in a minute than one guest may.
GUESTS = 20
CONNECTIONS = (1, 8)
MESSAGES = {False: 800, True: 4_000}
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
STAY = {"arrival": TOMORROW.isoformat(), "departure": (TOMORROW + timedelta(days=2)).isoformat(), "guests": 2}
CALLS = (
    "SELECT coalesce(sum(calls) FILTER (WHERE query !~* '^(begin|commit|rollback)'), 0)::float8,"
    " coalesce(sum(calls) FILTER (WHERE query ~* '^(begin|commit|rollback)'), 0)::float8"
    " FROM pg_stat_statements WHERE userid = %s::regrole"
)


def run(*, full: bool) -> None:
    """Measure with one and with eight messages at a time."""
    with running(None) as servers:
        upgrade(servers.dsn)
        load(servers.dsn, SMALL, 1, UNTIL, lambda _: None)
        with service.running(servers, 1) as running_service:
            rows = asyncio.run(_measure(servers, running_service, MESSAGES[full]))
    show("service", "Guests' messages through the service, caches warm", rows)


async def _measure(servers: Servers, running_service: Service, messages: int) -> list[dict[str, object]]:
    directory = make_directory(SMALL, 1, UNTIL)
    guests = [guest for known in directory.live[:HOTELS] for guest in known[:GUESTS]]
    rows: list[dict[str, object]] = []
    async with client(running_service, max(CONNECTIONS)) as http:
        hotels = [tenant.id for tenant in directory.tenants[:HOTELS]]
        guests_desk = GuestsDesk(await open_desk(http, running_service, hotels), hotels)
        await guests_desk.send(guests, max(CONNECTIONS))
        for connections in CONNECTIONS:
            writing = [guests[number % len(guests)] for number in range(messages)]
            with psycopg.connect(servers.dsn, autocommit=True) as observer:
                before, used, started = _calls(observer), _cpu_seconds(running_service.pid), time.perf_counter()
                took = await guests_desk.send(writing, connections)
                seconds, used = time.perf_counter() - started, _cpu_seconds(running_service.pid) - used
                statements, transaction = (now - then for now, then in zip(_calls(observer), before, strict=True))
            rows.append(
                {
                    "connections": connections,
                    "messages": messages,
                    "a second": messages / seconds,
                    "p50 ms": statistics.median(took) * 1000,
                    "p99 ms": statistics.quantiles(took, n=100)[98] * 1000,
                    "CPU ms": used / messages * 1000,
                    "statements": statements / messages,
                    "transaction": transaction / messages,
                }
            )
    return rows


@dataclass
class GuestsDesk:
    """Sends guests' messages, one after the other over each connection."""

    desk: Desk
    hotels: Sequence[str]
    sent: int = 0

    async def send(self, guests: Sequence[Identifier], connections: int) -> list[float]:
        """Send one message for each guest; how long each took, in seconds."""
        took: list[float] = []
        async with asyncio.TaskGroup() as senders:
            for number in range(connections):
                senders.create_task(self._send(guests[number::connections], took))
        return took

    async def _send(self, guests: Sequence[Identifier], took: list[float]) -> None:
        for guest in guests:
            self.sent += 1
            message: dict[str, Any] = {"platform": guest.platform, "identifier": guest.value, "text": f"{self.sent}"}
            if self.sent % 2:
                message["stay"] = STAY
            started = time.perf_counter()
            await self.desk.as_hotel(self.hotels[guest.tenant], "POST", "/v1/messages", json=message)
            took.append(time.perf_counter() - started)


def _calls(observer: psycopg.Connection) -> tuple[float, float]:
    row = observer.execute(CALLS, [SERVICE]).fetchone()
    assert row is not None
    return row[0], row[1]


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process, as Linux tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
