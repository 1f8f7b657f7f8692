"""Traps of SCAN: what it returns while tables grow, and how long it holds the server up."""

import time
from collections.abc import Iterator
from itertools import takewhile

import pytest
from redis.client import Monitor

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer, Tempo
from dbvitals.collect.redis_pass import ScriptPass
from dbvitals.collect.redis_wire import Wire
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import (
    FAMILIES,
    FOLDING,
    QUICK,
    Client,
    fill,
    reads_of,
    run,
    see,
    target_of,
)


def test_scans_that_return_more_or_less_than_there_is_are_seen_by_the_counts_trap_11(
    valkey: RedisServer, client: Client
) -> None:
    fill(client, keys=3_000)

    def grow(_: object) -> None:
        client.mset({f"new:{time.monotonic_ns()}:{number}": "x" for number in range(200)})

    harvest = Harvest(Folding(FAMILIES), show_keys=False)
    with Wire(target_of(valkey), connect_timeout=10, answer_timeout=10) as wire:
        ScriptPass(wire, harvest, Pacer(QUICK), ask_fields=False).walk(0, grow)
    seen = {stats.pattern: stats.count for stats in harvest.tally.freeze()}
    assert seen["availability:*"] >= 3_000
    assert harvest.seen == sum(seen.values())


def slices(server: RedisServer, slice_us: int) -> list[int]:
    """How many keys each slice of a pass has looked at."""
    found: list[int] = []
    harvest = Harvest(FOLDING, show_keys=False)
    with Wire(target_of(server), connect_timeout=10, answer_timeout=60) as wire:
        ScriptPass(wire, harvest, Pacer(Tempo(slice_us=slice_us, duty=1.0)), ask_fields=False).walk(0, found.append)
    return found


def test_slices_end_by_the_clock_however_many_keys_there_are_trap_30(
    any_server: RedisServer, any_client: Client
) -> None:
    fill(any_client, keys=20_000)
    any_client.config_resetstat()
    short, calls = slices(any_server, 500), script_calls(any_client)
    assert sum(short) == 30_120
    assert sum(one["usec"] for one in calls) < 20 * 500 * sum(one["calls"] for one in calls)
    assert max(short) < 5_000
    assert len(short) > 3 * len(slices(any_server, 25_000))


def script_calls(client: Client) -> list[dict[str, int]]:
    return [stats for name, stats in client.info("commandstats").items() if name.startswith("cmdstat_eval")]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "pipelines"])
def test_no_scan_asks_for_a_type_which_would_count_as_a_read_trap_2(
    any_server: RedisServer, any_client: Client, scripts: bool
) -> None:
    fill(any_client)
    rules = ["+@all", *([] if scripts else ["-@scripting"])]
    run(any_client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "&*", *rules)
    any_client.config_resetstat()
    with any_client.monitor() as monitor:  # type: ignore[no-untyped-call]  # the library has no types for it
        snapshot = see(target_of(any_server, user="reader", password="pw"))
        any_client.echo("that is all")
        seen = list(takewhile(lambda command: "that is all" not in command, commands_in(monitor)))
    scans = [command for command in seen if command.startswith("scan ")]
    assert len(scans) >= 5
    assert not [scan for scan in scans if " type " in scan]
    (after,) = snapshot.after
    assert (after.own_hits, after.own_misses) == (reads_of(any_client).hits, reads_of(any_client).misses)


def commands_in(monitor: Monitor) -> Iterator[str]:
    while True:
        answer = monitor.next_command()  # type: ignore[no-untyped-call]  # the library has no types for it
        yield str(answer["command"]).lower()
