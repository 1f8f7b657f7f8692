"""The fencing token: whatever is done to leases, in whatever order, it never repeats; also when the server dies."""

import asyncio
import contextlib
import os
import signal
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.core.database import Database
from app.db.leases import Lease
from app.services.leases import LeaseLost, Leases, clean_leases
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from tests.integration.app.hotel import Hotel, open_hotel

LONG = timedelta(seconds=60)
OWNERS = ("desk-1", "desk-2")


def something_is_granted(machine: "Tokens") -> bool:
    return bool(machine.granted)


class Tokens(RuleBasedStateMachine):
    """Two holders of one resource, a clock that jumps past the end, and the cleaner, against the simplest model."""

    hotel: Hotel
    runner: asyncio.Runner
    database: Database
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Tokens.number += 1
        self.resource = f"room:{Tokens.number}"
        self.leases = {owner: Leases(self.database, owner) for owner in OWNERS}
        self.granted: list[Lease] = []
        self.alive = self.open = False  # open: neither given back nor cleaned up

    @rule(owner=st.sampled_from(OWNERS))
    def acquire(self, owner: str) -> None:
        lease = self.runner.run(self.leases[owner].acquire(self.hotel.ours, self.resource, LONG))
        assert (lease is None) == self.alive
        if lease is not None:
            self.granted.append(lease)
            self.alive = self.open = True

    @precondition(something_is_granted)
    @rule(which=st.integers(0, 9))
    def renew(self, which: int) -> None:
        for lease in self.granted[which:][:1]:
            newest = self.alive and lease.token == self.granted[-1].token
            with contextlib.nullcontext() if newest else pytest.raises(LeaseLost):
                self.runner.run(self.leases[lease.owner].renew(self.hotel.ours, lease, LONG))

    @precondition(something_is_granted)
    @rule(which=st.integers(0, 9))
    def release(self, which: int) -> None:
        for lease in self.granted[which:][:1]:
            released = self.runner.run(self.leases[lease.owner].release(self.hotel.ours, lease))
            assert released == (self.open and lease.token == self.granted[-1].token)
            self.alive = self.alive and not released
            self.open = self.open and not released

    @precondition(something_is_granted)
    @rule()
    def time_passes(self) -> None:
        self.hotel.owner.execute(
            "update locks set acquired_at = '2020-01-01', expires_at = '2020-01-02'"
            " where resource = %s and released_at is null",
            [self.resource],
        )
        self.alive = False

    @precondition(something_is_granted)
    @rule()
    def clean(self) -> None:
        self.runner.run(clean_leases(self.database, "system:cleaner", "clean"))
        self.open = self.alive

    @invariant()
    def tokens_count_on_from_one(self) -> None:
        assert [lease.token for lease in self.granted] == list(range(1, len(self.granted) + 1))


def test_no_order_of_events_repeats_a_token(hotel: Hotel) -> None:
    with asyncio.Runner() as runner:
        Tokens.hotel, Tokens.runner, Tokens.database = hotel, runner, Database(hotel.settings)
        few = settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        run_state_machine_as_test(Tokens, settings=few)
        runner.run(Tokens.database.close())


CRASH_SAFE = {"fsync": "on", "synchronous_commit": "off", "wal_writer_delay": "10s", "autovacuum": "off"}


def crash(server: PostgresServer) -> None:
    """Kill the server's main process, and wait until the others have gone too."""
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


@pytest.mark.parametrize("major", [15, 18])
def test_a_grant_outlives_a_crash_where_other_commits_are_forgotten(major: int, tmp_path: Path) -> None:
    binaries = next(found for found in find_all_postgres() if found.major == major)
    home = tmp_path / "home"
    with (
        start_postgres(binaries, home=home, settings=CRASH_SAFE) as server,
        psycopg.connect(server.dsn(), autocommit=True) as owner,
    ):
        hotel = open_hotel(server.dsn(), owner)
        first = asyncio.run(acquire(hotel))
        owner.execute("insert into tenants (name) values ('forgotten')")
        crash(server)
    with start_postgres(binaries, home=home, settings=CRASH_SAFE) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as owner:
            assert owner.execute("select count(*) from tenants where name = 'forgotten'").fetchone() == (0,)
            owner.execute("update locks set released_at = now()")
        second = asyncio.run(acquire(hotel))
    assert (first, second) == (1, 2)


async def acquire(hotel: Hotel) -> int:
    database = Database(hotel.settings)
    try:
        lease = await Leases(database, "desk").acquire(hotel.ours, "room:101", LONG)
    finally:
        await database.close()
    assert lease is not None
    return lease.token
