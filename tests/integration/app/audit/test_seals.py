"""Seals: what was changed, removed or inserted behind the service's back is named."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from app.core.database import Database
from app.core.ids import uuid7
from app.services.audit_rollup import AuditRollup
from app.services.security.sealer import Head, Sealer
from app.services.security.verifier import Verdict, Verifier
from tests.integration.app.audit.conftest import NOON, add_rows, settings_for

Connection = psycopg.Connection[tuple[object, ...]]
ROOT = Path(__file__).parents[4]
DAY = 24 * 60
# Days that are over, whatever the day of the test: NOON's own is not.
YESTERDAY = int((NOON - datetime.now(UTC)).total_seconds() // 60) + 2 * DAY
ROWS = [YESTERDAY, YESTERDAY + 1, YESTERDAY + 2, YESTERDAY + DAY, YESTERDAY + 5 * DAY]


async def seal(hotel: Database) -> list[Head]:
    assert await AuditRollup(hotel).run_once()
    return await Sealer(hotel).run_once()


async def verify(hotel: Database, *expected: bytes) -> Verdict:
    return await Verifier(hotel).run(frozenset(expected))


@pytest.mark.asyncio
async def test_an_untouched_trail_is_intact_and_todays_rows_are_not_sealed(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    for tenant in tenants:
        add_rows(owner, tenant, ROWS, details='{"n": 1.10, "text": "é\\u00e9", "big": 1e400}')
    owner.execute("insert into audit_logs (tenant_id, event_type) values (%s, 'today')", [tenants[0]])
    heads = await seal(hotel)
    verdict = await verify(hotel, *(head.hash for head in heads))
    assert verdict.intact
    assert (verdict.sealed, verdict.unsealed) == (2 * len(ROWS), 1)
    assert {head.tenant_id for head in verdict.heads} == set(tenants)
    assert await seal(hotel) == []


@pytest.mark.asyncio
async def test_rows_that_come_late_get_a_further_seal(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    add_rows(owner, tenants[0], ROWS)
    first = await seal(hotel)
    add_rows(owner, tenants[0], [YESTERDAY + 1, YESTERDAY + 9 * DAY])
    later = await seal(hotel)
    assert [head.number for head in later] == [len(first) + 1, len(first) + 2]
    verdict = await verify(hotel, first[-1].hash)
    assert verdict.intact
    assert verdict.sealed == len(ROWS) + 2


CHANGES = {
    "details": "details || '{\"a\": 1}'",
    "timestamp": "\"timestamp\" + interval '1 microsecond'",
    "created_at": "created_at + interval '1 microsecond'",
    "deleted_at": "now()",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("column", CHANGES)
async def test_a_changed_row_is_named(hotel: Database, owner: Connection, tenants: list[UUID], column: str) -> None:
    add_rows(owner, tenants[0], ROWS)
    keys = add_rows(owner, tenants[1], ROWS)
    await seal(hotel)
    change = f'update audit_logs set "{column}" = {CHANGES[column]} where id = %s'
    owner.execute("alter table audit_logs disable trigger set_updated_at")
    owner.execute(change.encode(), [keys[1]])
    verdict = await verify(hotel)
    (breach,) = verdict.breaches
    assert (breach.kind, breach.tenant_id, breach.row) == ("changed", tenants[1], keys[1])
    assert breach.day == (NOON - timedelta(minutes=ROWS[1])).date()
    assert not verdict.intact


@pytest.mark.asyncio
async def test_a_removed_row_is_named(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    keys = add_rows(owner, tenants[0], ROWS)
    await seal(hotel)
    owner.execute("delete from audit_logs where id = any(%s)", [keys[:2]])
    (breach,) = (await verify(hotel)).breaches
    assert (breach.kind, breach.row) == ("removed", keys[1])


@pytest.mark.asyncio
async def test_an_inserted_row_is_named(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    add_rows(owner, tenants[0], ROWS)
    await seal(hotel)
    forged = add_rows(owner, tenants[0], [ROWS[0]], arrival=1)
    (breach,) = (await verify(hotel)).breaches
    assert (breach.kind, breach.row) == ("inserted", forged[0])


@pytest.mark.asyncio
async def test_a_row_in_a_day_without_a_seal_is_found(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    add_rows(owner, tenants[0], ROWS)
    await seal(hotel)
    add_rows(owner, tenants[0], [YESTERDAY + 30 * DAY], arrival=1)
    (breach,) = (await verify(hotel)).breaches
    assert breach.kind == "miscounted"
    assert breach.day == (NOON - timedelta(minutes=YESTERDAY + 30 * DAY)).date()


@pytest.mark.asyncio
async def test_a_row_that_went_before_its_day_was_sealed_is_found(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    keys = add_rows(owner, tenants[0], ROWS)
    await AuditRollup(hotel).run_once()
    owner.execute("delete from audit_logs where id = %s", [keys[-1]])
    await Sealer(hotel).run_once()
    (breach,) = (await verify(hotel)).breaches
    assert (breach.kind, breach.day) == ("miscounted", (NOON - timedelta(minutes=ROWS[-1])).date())


@pytest.mark.asyncio
async def test_changed_and_missing_seals_are_found(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    add_rows(owner, tenants[0], ROWS)
    heads = await seal(hotel)
    for change in (
        "update audit_seals set hash = previous where number = 2",
        "update audit_seals set previous = hash where number = 2",
        "update audit_seals set arrived_to = arrived_to + 1000 where number = 1",
        "delete from audit_seals where number = 2",
    ):
        owner.execute("create temporary table kept as select * from audit_seals")
        owner.execute(change.encode())
        (breach,) = (await verify(hotel)).breaches
        assert breach.kind in ("seal broken", "seal missing"), change
        owner.execute("delete from audit_seals; insert into audit_seals select * from kept; drop table kept")
    assert (await verify(hotel, heads[-1].hash)).intact


@pytest.mark.asyncio
async def test_seals_that_were_dropped_show_by_a_hash_kept_elsewhere(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    add_rows(owner, tenants[0], ROWS)
    heads = await seal(hotel)
    owner.execute("delete from audit_seals where number = %s", [heads[-1].number])
    verdict = await verify(hotel)
    assert verdict.intact
    assert verdict.unsealed > 0
    verdict = await verify(hotel, heads[-1].hash, heads[0].hash)
    assert verdict.unmatched == (heads[-1].hash,)
    assert not verdict.intact


@pytest.mark.asyncio
async def test_neither_service_nor_admin_changes_seals(
    dsn: str, hotel: Database, owner: Connection, tenants: list[UUID], connect: Callable[[str], Connection]
) -> None:
    add_rows(owner, tenants[0], ROWS)
    await seal(hotel)
    for login in ("audit_test_service", "audit_test_admin"):
        session = connect(dsn.replace("postgres@", f"{login}@"))
        for change in ("update audit_seals set n = n", "delete from audit_seals", "truncate audit_seals"):
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute(change.encode())
    owner.execute("grant update on audit_seals to hotel_admin")
    with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        connect(dsn.replace("postgres@", "audit_test_admin@")).execute("update audit_seals set n = n")


def command(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = settings_for(dsn)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")} | {
        "POSTGRES_HOST": settings.postgres_host,
        "POSTGRES_PORT": str(settings.postgres_port),
        "POSTGRES_DB": settings.postgres_db,
        "POSTGRES_USER": "audit_test_service",
        "POSTGRES_ADMIN_USER": "audit_test_admin",
    }
    call = [sys.executable, "-m", "app", "audit", *arguments]
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_commands_count_seal_and_verify(dsn: str, owner: Connection, tenants: list[UUID]) -> None:
    keys = add_rows(owner, tenants[0], ROWS)
    assert command(dsn, "rollup").stdout == "counted\n"
    sealed = command(dsn, "seal")
    assert (sealed.returncode, sealed.stderr) == (0, "")
    newest = sealed.stdout.splitlines()[-1]
    assert newest.startswith(f"{tenants[0]} 3 ")
    done = command(dsn, "verify", "--expect", newest.split()[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"newest seal: {newest}",
        "intact: 5 rows verified, 0 counted and not sealed yet",
    ]
    owner.execute("delete from audit_logs where id = %s", [keys[3]])
    broken = command(dsn, "verify")
    assert (broken.returncode, broken.stderr) == (1, "")
    assert f"row {keys[3]} was removed since seal 2" in broken.stdout
    assert "NOT as it was sealed" in broken.stdout


def test_commands_tell_what_is_wrong_in_one_line(dsn: str, owner: Connection) -> None:
    wrong = command(dsn, "verify", "--expect", "xyz")
    assert wrong.returncode == 2
    owner.execute("revoke select on audit_days from hotel_admin")
    refused = command(dsn, "verify")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (3, "", 1)
    away = command(dsn.replace(owner.info.dbname, f"absent_{uuid7()}"), "rollup")
    assert (away.returncode, away.stdout, away.stderr.count("\n")) == (3, "", 1)
