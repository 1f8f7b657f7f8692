"""The rule that --print-acl prints: a login with exactly it can do everything, and without any part of it cannot."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import redis

from dbvitals.collect.key_ages import sample_ages
from dbvitals.collect.keymiss import listen_for_misses
from dbvitals.collect.redis_rights import acl_lines
from dbvitals.collect.redis_topology import group_of
from dbvitals.collect.redis_wire import CLIENT_NAME, Wire
from dbvitals.errors import ServerError
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.settings_redis import RedisTarget
from tests.integration.cache.ground import (
    FOLDING,
    KINDS,
    SYNC_AT_ONCE,
    Client,
    binary_of,
    client_of,
    cluster,
    fill,
    parts_missing,
    patterns_of,
    run,
    see,
    target_of,
    until,
)

BASE, NO_TOUCH, FIELDS, OLDEST, LISTENING, AT_SENTINELS = (
    line.replace(">PASSWORD", ">pw").split() for line in acl_lines() if line.startswith("ACL SETUSER")
)


def apply_printed_rules(client: Client, *without: str) -> None:
    """What a user copies: the rule for this server's age, and what a newer one knows besides."""
    version = tuple(int(part) for part in client.info("server")["redis_version"].split(".")[:2])
    valkey = client.info("server").get("valkey_version", "0")
    run(client, "ACL", "SETUSER", "dbvitals", "reset")
    wanted = [OLDEST if version < (7, 0) else BASE, LISTENING]
    wanted += [NO_TOUCH] if version >= (7, 2) else []
    wanted += [FIELDS] if version >= (7, 4) or int(valkey.split(".")[0]) >= 9 else []
    for line in wanted:
        run(client, *(word for word in line if word not in without))


def login(server: RedisServer, **parts: object) -> RedisTarget:
    return target_of(server, user="dbvitals", password="pw", **parts)


def opened(target: RedisTarget) -> Wire:
    return Wire(target, connect_timeout=10, answer_timeout=10)


@contextmanager
def connected(target: RedisTarget) -> Iterator[Wire]:
    with opened(target) as wire:
        yield wire


def heard(target: RedisTarget) -> set[str]:
    window = listen_for_misses([target], FOLDING, seconds=0.2, may_change=lambda *_: None, db=target.db)
    return {skipped.part for skipped in window.skipped}


def aged(target: RedisTarget) -> set[str]:
    with connected(target) as wire:
        found = sample_ages(wire, FOLDING, keys=50, random=Random(0))
    return {skipped.part for skipped in found.skipped}


def missing(server: RedisServer) -> set[str]:
    """What every option together cannot tell, or why there is no report at all."""
    try:
        whole = see(login(server), all_databases=True)
        elsewhere = see(login(server, db=3))
        sample = see(login(server), sample=200)
        snapshots = parts_missing(whole) | parts_missing(elsewhere) | parts_missing(sample)
        forbidden = {f"{stats.forbidden} keys" for stats in whole.patterns if stats.forbidden}
        return snapshots | forbidden | aged(login(server)) | heard(login(server))
    except ServerError as error:
        return {str(error)}


@pytest.fixture
def full(any_server: RedisServer, any_client: Client) -> Client:
    """A client of a server with keys in two databases, among them one of which fields expire."""
    fill(any_client)
    with client_of(any_server, db=3) as other:
        other.set("lock:1", "x", ex=900)
    any_client.hset("cart:1", "field", "x")
    if "hpexpire" in {name.lower() for name in any_client.command()}:
        for number in range(400):
            any_client.hset(f"session:{number:08x}", "field", "x")
            run(any_client, "HPEXPIRE", f"session:{number:08x}", 600_000, "FIELDS", 1, "field")
    any_client.script_flush()
    return any_client


def test_the_printed_rule_is_enough_for_everything_trap_28(any_server: RedisServer, full: Client) -> None:
    apply_printed_rules(full)
    assert missing(any_server) == set()
    snapshot = see(login(any_server))
    assert (snapshot.coverage.method, snapshot.skipped) == ("script", ())
    assert patterns_of(snapshot)["availability:*"].count == 600
    assert snapshot.nodes[0].config


@pytest.mark.parametrize(
    "command", [("GET", "tags:1"), ("SET", "tags:1", "x"), ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "REWRITE")]
)
def test_the_printed_rule_lets_nobody_read_a_value_or_write_one(
    valkey: RedisServer, client: Client, command: tuple[str, ...]
) -> None:
    apply_printed_rules(client)
    with (
        redis.Redis(host=valkey.host, port=valkey.port, username="dbvitals", password="pw") as nosy,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        run(nosy, *command)


REPORTED = {
    "+info": "INFO",
    "+scan": "scan",
    "+select": "select",
    "+pttl": "times to live",
    "+type": "types of keys",
    "+memory|usage": "sizes of keys",
    "+object|encoding": "encodings of keys",
    "+eval_ro": "scripts",
    "+evalsha_ro": "scripts",
    "+config|get": "settings of",
    "+hrandfield": "fields that expire",
    "+hpttl": "fields that expire",
    "+randomkey": "keys never read",
    "+object|idletime": "keys never read",
    "+config|set": "misses on",
    "+psubscribe": "misses on",
    "&__keyevent@0__:keymiss": "misses on",
    "&__keyevent@0__:expired": "misses on",
    "%R~*": "keys",
}
"""What the report says, or the error, without each part of the rule."""

SHOWN_OTHERWISE = {"+ping", "+client|setname", "+client|no-touch", "+time"}
IN_CLUSTERS = {"+cluster|slots", "+cluster|nodes", "+cluster|countkeysinslot", "+readonly"}
FOR_6_2 = {"+eval", "+evalsha", "~*"}
NO_RIGHTS = {"ACL", "SETUSER", "dbvitals", "on", ">pw", "resetkeys", "resetchannels", "-@all"}


def test_every_part_of_the_rule_is_accounted_for() -> None:
    rule = {word for line in (BASE, NO_TOUCH, FIELDS, OLDEST, LISTENING) for word in line} - NO_RIGHTS
    assert rule == REPORTED.keys() | SHOWN_OTHERWISE | IN_CLUSTERS | FOR_6_2


@pytest.mark.parametrize("any_server", ["valkey-9.1"], indirect=True)
@pytest.mark.parametrize("part", REPORTED)
def test_without_any_part_of_the_rule_something_is_missing_and_named(
    any_server: RedisServer, full: Client, part: str
) -> None:
    full.config_set("notify-keyspace-events", "")
    apply_printed_rules(full, part)
    found = missing(any_server)
    assert [one for one in found if REPORTED[part] in one], found


def ourselves(server: RedisServer, client: Client) -> tuple[str, bool]:
    """Our name in the server's list, and whether our looks leave keys as cold as they were."""
    with group_of(login(server), opened) as group:
        group.readers[0].call("PING")
        (found,) = (one for one in client.client_list() if one["user"] == "dbvitals")
    return found["name"], "T" in found["flags"]


def test_what_no_report_shows_the_server_does(valkey: RedisServer, client: Client) -> None:
    apply_printed_rules(client)
    client.config_resetstat()
    see(login(valkey))
    ping = client.info("commandstats")["cmdstat_ping"]
    assert (ping["calls"] > 0, ping["rejected_calls"]) == (True, 0)
    assert ourselves(valkey, client) == (CLIENT_NAME, True)
    apply_printed_rules(client, "+client|setname", "+client|no-touch")
    assert ourselves(valkey, client) == ("", False)


@pytest.mark.parametrize("any_server", ["debian", "redis-6.2"], indirect=True)
def test_older_servers_are_asked_for_the_time(any_server: RedisServer, full: Client) -> None:
    apply_printed_rules(full)
    see(login(any_server))
    assert full.info("commandstats")["cmdstat_time"]["calls"] > 0
    full.config_resetstat()
    apply_printed_rules(full, "+time")
    assert see(login(any_server)).skipped == ()
    stats = full.info("commandstats").get("cmdstat_time", {"calls": 0, "failed_calls": 0})
    assert stats["calls"] == stats.get("failed_calls", 0)


@pytest.mark.parametrize("any_server", ["redis-6.2"], indirect=True)
@pytest.mark.parametrize(("part", "named"), [("+eval", "scripts"), ("+evalsha", "scripts"), ("~*", "keys")])
def test_without_any_part_of_the_oldest_rule_something_is_missing_and_named(
    any_server: RedisServer, full: Client, part: str, named: str
) -> None:
    apply_printed_rules(full, part)
    found = missing(any_server)
    assert [one for one in found if named in one], found


def test_the_printed_rule_is_enough_for_a_cluster() -> None:
    with cluster(1) as (primary, replica), client_of(primary) as client, client_of(replica) as other:
        fill(client)
        for one in (client, other):
            apply_printed_rules(one)
        assert parts_missing(see(login(primary))) == set()
        assert parts_missing(see(login(primary), sample=100)) == set()
        apply_printed_rules(client, "+cluster|slots")
        with pytest.raises(ServerError, match=r"cluster\|slots"):
            see(login(primary))
        apply_printed_rules(client, "+randomkey")
        with pytest.raises(ServerError, match="randomkey"):
            see(login(primary), sample=100)


@pytest.fixture(params=KINDS)
def sentinel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A sentinel of each kind that watches a primary; both have the login by the printed rule."""
    binary = binary_of(request.param)
    program = tmp_path / ("valkey-sentinel" if "valkey" in binary.path.name else "redis-sentinel")
    shutil.copy(binary.path, program)
    with (
        start_redis(binary, settings=SYNC_AT_ONCE) as primary,
        start_redis(replace(binary, path=program)) as watcher,
        client_of(primary) as client,
        client_of(watcher) as watching,
    ):
        fill(client)
        apply_printed_rules(client)
        run(watching, "SENTINEL", "MONITOR", "hotel", primary.host, primary.port, 1)
        run(watching, "SENTINEL", "SET", "hotel", "auth-pass", primary.password)
        run(watching, *AT_SENTINELS)
        until(lambda: run(watching, "SENTINEL", "MASTER", "hotel") is not None)
        yield watcher


def test_the_rule_for_sentinels_is_enough(sentinel: RedisServer) -> None:
    snapshot = see(login(sentinel))
    assert snapshot.skipped == ()
    assert patterns_of(snapshot)["availability:*"].count == 600


@pytest.mark.parametrize("word", [word for word in AT_SENTINELS if word[0] == "+" and word != "+client|setname"])
@pytest.mark.parametrize("sentinel", ["valkey-9.1"], indirect=True)
def test_without_any_part_of_the_rule_for_sentinels_it_is_said_what_is_refused(
    sentinel: RedisServer, word: str
) -> None:
    with client_of(sentinel) as client:
        run(client, "ACL", "SETUSER", "dbvitals", "reset")
        run(client, *(one for one in AT_SENTINELS if one != word))
    with pytest.raises(ServerError, match="(?i)" + word[1:].replace("|", r"\|")):
        see(login(sentinel))
