"""A pass that is stopped, runs out of time, or loses its server gives what it has, and says so."""

from collections.abc import Callable

import pytest

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.redis import KeyspaceRequest, collect_keyspace
from dbvitals.collect.redis_pace import DEFAULT
from dbvitals.sandbox import RedisServer
from dbvitals.settings import Timeouts
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import FAMILIES, Client, fill, parts_missing, run, see, target_of

pytestmark = pytest.mark.usefixtures("every_slice_is_told")


def stopped_by(server: RedisServer, stop: Callable[[], None], **request: object) -> KeyspaceSnapshot:
    """What a pass gives on which `stop` is called when it first tells how far it is."""
    told: list[str] = []

    def tell(part: str) -> None:
        told.append(part)
        if "keys" in part and len([one for one in told if "keys" in one]) == 1:
            stop()

    wanted = KeyspaceRequest(tempo=DEFAULT, **request)  # type: ignore[arg-type]
    return collect_keyspace(target_of(server), Folding(FAMILIES), wanted, Timeouts(), tell)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("request_", [{}, {"sample": 500}], ids=["full", "sample"])
def test_ctrl_c_gives_what_is_there(valkey: RedisServer, client: Client, request_: dict[str, object]) -> None:
    fill(client, keys=3_000)
    snapshot = stopped_by(valkey, interrupt, **request_)
    assert snapshot.coverage.ended == "interrupted"
    assert parts_missing(snapshot) == {"interrupted"}
    assert 0 < snapshot.coverage.keys_seen < 4_620
    assert sum(stats.count for stats in snapshot.patterns) == snapshot.coverage.keys_seen


def test_the_deadline_gives_what_is_there(valkey: RedisServer, client: Client) -> None:
    fill(client, keys=3_000)
    snapshot = see(target_of(valkey), tempo=DEFAULT, max_seconds=0.001)
    assert snapshot.coverage.ended == "max-seconds"
    assert 0 < snapshot.coverage.keys_seen < 4_620


def test_a_connection_that_is_killed_gives_what_is_there_trap_31(valkey: RedisServer, client: Client) -> None:
    fill(client, keys=3_000)

    def kill() -> None:
        for one in client.client_list():
            if one["name"] == "dbvitals":
                run(client, "CLIENT", "KILL", "ID", one["id"])

    snapshot = stopped_by(valkey, kill)
    assert snapshot.coverage.ended == "lost"
    assert {"rest of the keyspace", "counters at the end"} <= parts_missing(snapshot)
    assert 0 < snapshot.coverage.keys_seen < 4_620


def test_a_script_that_is_flushed_is_sent_again(valkey: RedisServer, client: Client) -> None:
    fill(client, keys=3_000)
    snapshot = stopped_by(valkey, lambda: run(client, "SCRIPT", "FLUSH"))
    assert (snapshot.coverage.ended, snapshot.coverage.keys_seen) == ("complete", 3_000 + 1_500 + 120)


def test_progress_tells_keys_rate_and_ping(valkey: RedisServer, client: Client) -> None:
    fill(client, keys=3_000)
    told: list[str] = []
    wanted = KeyspaceRequest(tempo=DEFAULT)
    collect_keyspace(target_of(valkey), Folding(FAMILIES), wanted, Timeouts(), told.append)
    lines = [line for line in told if "keys" in line]
    assert lines[-1].startswith("█" * 20 + " 100%  4,620 of 4,620 keys, ")
    assert lines[-1].endswith("0:00 left") or "PING p99" in lines[-1]
