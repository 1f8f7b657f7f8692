"""Sixteen writers, and a server that is killed under them: what was acknowledged is in the trail, once."""

import asyncio
import os
import signal
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy import insert, text, update

from app.core.database import Database
from app.core.errors import Unavailable
from app.db.tables import Lock
from dbvitals.sandbox import PostgresServer, start_postgres
from tests.integration.app.hotel import Hotel, open_hotel

WRITERS = 16
ENOUGH = 10 * WRITERS


class Writer:
    """Raises the token of a lock of its own, one transaction each, as long as there is a server."""

    def __init__(self, service: Database, hotel: Hotel, number: int) -> None:
        self._service = service
        self._scope = hotel.ours
        self.resource = f"room:{number}"
        self.acknowledged = 0

    async def run(self) -> None:
        async with self._service.unit_of_work(self._scope) as session:
            values = {"tenant_id": self._scope.tenant_id, "resource": self.resource, "owner": "desk"}
            await session.execute(insert(Lock).values(**values, expires_at=text("'infinity'")))
        self.acknowledged = 1
        while True:
            raised = update(Lock).where(Lock.resource == self.resource).values(fencing_token=Lock.fencing_token + 1)
            async with self._service.unit_of_work(self._scope) as session:
                token = await session.scalar(raised.returning(Lock.fencing_token))
            assert token == self.acknowledged + 1
            self.acknowledged = token


async def write_until_killed(hotel: Hotel, server: PostgresServer) -> list[Writer]:
    service = Database(hotel.settings)
    writers = [Writer(service, hotel, number) for number in range(WRITERS)]
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    async with asyncio.timeout(60):
        while sum(writer.acknowledged for writer in writers) < ENOUGH and not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
    kill_whole(server.pid)
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=30)
    assert [end for end in ends if not isinstance(end, Unavailable)] == []
    await service.close()
    return writers


def kill_whole(pid: int) -> None:
    """The server and its backends at once, as when a machine's memory runs out."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for victim in (pid, *map(int, children)):
        os.kill(victim, signal.SIGKILL)


def test_no_acknowledged_change_is_missing_from_the_trail(postgres: PostgresServer, tmp_path: Path) -> None:
    home = tmp_path / "server"
    killed = start_postgres(postgres.binaries, home=home)
    with closing(psycopg.connect(killed.dsn(), autocommit=True)) as owner:
        hotel = open_hotel(killed.dsn(), owner)
        writers = asyncio.run(write_until_killed(hotel, killed))
    killed.stop()
    with start_postgres(postgres.binaries, home=home) as server, psycopg.connect(server.dsn()) as owner:
        found = owner.execute(
            "select resource, fencing_token, (select count(*) from audit_logs a where a.resource = 'locks/' || l.id)"
            " from locks l"
        ).fetchall()
    assert len(found) == WRITERS
    acknowledged = {writer.resource: writer.acknowledged for writer in writers}
    assert sum(acknowledged.values()) >= ENOUGH
    for resource, changes, rows in found:
        assert rows == changes, "one audit row for each change, and none for a change that was lost"
        assert changes - acknowledged[resource] in (0, 1), "the last commit may have come through unheard"
