"""The service behind PgBouncer in transaction mode: two server connections for all, whoever has them last."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.core.database import Database
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.db.tables import Tenant
from dbvitals.sandbox import PostgresServer
from dbvitals.sandbox.account import choose_account
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
PORT = 6432
CONFIG = """\
[databases]
* = host={folder} port={port}
[pgbouncer]
listen_addr =
listen_port = {listen}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 2
"""


@pytest.fixture
def bouncer(postgres: PostgresServer, hotel: Hotel) -> Iterator[Settings]:
    """Settings that lead through a PgBouncer before the server, in the server's own account."""
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer on this machine")
    folder = Path(postgres.host)
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text('"test_service" ""\n"test_admin" ""\n')
    config.write_text(CONFIG.format(folder=folder, port=postgres.port, listen=PORT, users=users))
    for file in (users, config):
        file.chmod(0o644)
    command = choose_account().command(Path(PGBOUNCER), "--quiet", str(config), parent=os.getpid(), end=signal.SIGTERM)
    with subprocess.Popen(command) as process:
        try:
            wait_for(folder / f".s.PGSQL.{PORT}", process)
            yield hotel.settings.model_copy(update={"postgres_port": PORT, "postgres_pgbouncer": True})
        finally:
            process.terminate()


def wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 20
    while not socket.exists():
        assert process.poll() is None, "pgbouncer ended"
        assert time.monotonic() < end, "pgbouncer does not listen"
        time.sleep(0.02)


async def look(database: Database, scope: TenantScope) -> tuple[object, object]:
    async with database.read(scope) as session:
        found = await session.scalar(select(Tenant.id))
        return found, await session.scalar(select(func.pg_backend_pid()))


async def test_many_at_once_see_their_own_tenant_on_few_connections(hotel: Hotel, bouncer: Settings) -> None:
    database = Database(bouncer)
    scopes = [hotel.ours, hotel.theirs] * 100
    found = await asyncio.gather(*(look(database, scope) for scope in scopes))
    assert [tenant for tenant, _ in found] == [scope.tenant_id for scope in scopes]
    assert len({pid for _, pid in found}) <= 2
    assert database.engine.pool.checkedin() > 2  # type: ignore[attr-defined]
    await database.close()


async def test_writes_hot_reads_and_all_tenants_work_and_nothing_stays(hotel: Hotel, bouncer: Settings) -> None:
    database = Database(bouncer)
    local = text("select nullif(current_setting('app.tenant_id', true), ''), current_setting('jit'),"
                 " current_setting('statement_timeout')")  # fmt: skip

    async def work(number: int) -> None:
        async with database.unit_of_work(hotel.ours) as session:
            (await session.get_one(Tenant, hotel.ours.tenant_id)).name = f"Hotel {number}"
            row = (await session.execute(local)).one()
            assert tuple(row) == (str(hotel.ours.tenant_id), "off", "15s")
        async with database.hot.connect() as connection:
            assert (await connection.execute(local)).one()[0] is None
            assert await connection.scalar(select(func.count()).select_from(Tenant)) == 0
        async with database.admin("operator", "request-9") as admin:
            assert await admin.scalar(select(func.count()).select_from(Tenant)) == 2

    await asyncio.gather(*(work(number) for number in range(30)))
    assert hotel.one("select count(*) from audit_logs where event_type = 'row.update'") == (30,)
    await database.close()


async def test_without_the_setting_pgbouncer_refuses_the_connection(hotel: Hotel, bouncer: Settings) -> None:
    """Should this pass one day, the setting has lost a reason."""
    database = Database(bouncer.model_copy(update={"postgres_pgbouncer": False}))
    with pytest.raises(Unavailable) as caught:
        await look(database, hotel.ours)
    assert "unsupported startup parameter" in str(caught.value.__cause__)
    await database.close()
