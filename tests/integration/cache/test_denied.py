"""Rights that are missing, commands that are renamed: each missing part is named, and everything else is there."""

import contextlib
import threading
from collections.abc import Iterator

import pytest
import redis

from dbvitals.errors import ServerError
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import (
    Client,
    binary_of,
    client_of,
    fill,
    parts_missing,
    patterns_of,
    run,
    see,
    target_of,
    until,
)


def reader(client: Client, *rules: str, keys: str = "~*") -> None:
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", keys, *rules)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "pipelines"])
@pytest.mark.parametrize(
    ("denied", "part"),
    [
        ("-memory", "sizes of keys"),
        ("-pttl", "times to live"),
        ("-type", "types of keys"),
        ("-object", "encodings of keys"),
        ("-config", "settings of"),
    ],
)
def test_a_denied_command_costs_its_part_only_trap_28(
    any_server: RedisServer, any_client: Client, denied: str, part: str, scripts: bool
) -> None:
    fill(any_client)
    reader(any_client, "+@all", denied, *([] if scripts else ["-@scripting"]))
    snapshot = see(target_of(any_server, user="reader", password="pw"))
    missing = {name for name in parts_missing(snapshot) if name != "scripts"}
    assert len(missing) == 1
    assert missing.pop().startswith(part)
    rooms = patterns_of(snapshot)["availability:*"]
    assert rooms.count == 600
    assert rooms.gone == rooms.forbidden == 0
    assert (rooms.ttl_known == 0) == (denied == "-pttl") or rooms.ttl_known < 600
    assert (rooms.memory_bytes == 0) == (denied == "-memory")


def test_scripts_denied_is_said_and_nothing_else_is_missing_trap_28(
    any_server: RedisServer, any_client: Client
) -> None:
    fill(any_client)
    reader(any_client, "+@all", "-@scripting")
    snapshot = see(target_of(any_server, user="reader", password="pw"))
    assert parts_missing(snapshot) == {"scripts"}
    assert snapshot.coverage.method == "pipeline"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "pipelines"])
def test_keys_that_may_not_be_asked_for_are_counted_apart_trap_28(
    any_server: RedisServer, any_client: Client, scripts: bool
) -> None:
    fill(any_client)
    reader(any_client, "+@all", *([] if scripts else ["-@scripting"]), keys="~session:*")
    snapshot = see(target_of(any_server, user="reader", password="pw"))
    seen = patterns_of(snapshot)
    assert (seen["availability:*"].count, seen["availability:*"].forbidden) == (0, 600)
    assert (seen["session:*"].count, seen["session:*"].forbidden) == (300, 0)
    assert seen["session:*"].memory_bytes > 0
    assert parts_missing(snapshot) <= {"scripts"}


@pytest.mark.parametrize("command", ["info", "scan"])
def test_without_these_there_is_no_report(valkey: RedisServer, client: Client, command: str) -> None:
    reader(client, "+@all", f"-{command}")
    client.set("a", "b")
    with pytest.raises(ServerError, match=rf"(?i){command}"):
        see(target_of(valkey, user="reader", password="pw"))


def test_a_wrong_password_is_not_repeated(valkey: RedisServer, client: Client) -> None:
    with pytest.raises(ServerError, match="WRONGPASS") as caught:
        see(target_of(valkey, password="s3cret-word"))
    assert "s3cret-word" not in str(caught.value)


def test_a_password_that_nobody_asks_for_is_no_fault(valkey: RedisServer, client: Client) -> None:
    client.config_set("requirepass", "")
    try:
        assert see(target_of(valkey, password="whatever")).coverage.ended == "complete"
    finally:
        client.config_set("requirepass", valkey.password)


@pytest.mark.parametrize("kind", ["valkey-9.1", "redis-6.2", "debian"])
def test_commands_that_were_renamed_away_trap_28(kind: str) -> None:
    """The server takes one setting of each name; so the file of another is included."""
    binary = binary_of(kind)
    with start_redis(binary) as model:
        folder = model.home.parent
        included = folder / f"renamed-{model.pid}.conf"
        lines = ("CONFIG", "MEMORY", "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO")
        with client_of(model) as client:
            known = {name.upper() for name in client.command()}
        included.write_text("".join(f'rename-command {name} ""\n' for name in lines if name in known))
        included.chmod(0o644)
    try:
        with start_redis(binary, settings={"include": str(included)}) as server:
            with client_of(server) as client:
                fill(client)
            snapshot = see(target_of(server))
    finally:
        included.unlink()
    where = f"settings of {server.host}:{server.port}"
    assert parts_missing(snapshot) == {where, "sizes of keys", "scripts"}
    assert patterns_of(snapshot)["availability:*"].count == 600


ENDLESS = "while redis.call('EXISTS', 'never') == 0 do end"


@contextlib.contextmanager
def busy(server: RedisServer, client: Client) -> Iterator[None]:
    """A script that does not end until it is killed, and that is not by itself."""
    with client_of(server, socket_timeout=60) as other:
        client.config_set("busy-reply-threshold", 50)
        connection = other.connection_pool.get_connection()
        connection.send_command("EVAL", ENDLESS, 0)
        try:
            until(lambda: is_busy(client))
            yield
        finally:
            end_script(client)
            connection.disconnect()
            other.connection_pool.release(connection)
            client.config_set("busy-reply-threshold", 5_000)


def end_script(client: Client) -> None:
    """The server ends a script some time after it was told to, or is told in vain when that is over."""
    with contextlib.suppress(redis.exceptions.ResponseError):
        client.script_kill()
    until(lambda: not is_busy(client))


def is_busy(client: Client) -> bool:
    try:
        client.ping()
    except redis.exceptions.ResponseError as error:
        return "busy" in str(error).lower()
    return False


def test_a_server_that_stays_busy_with_a_script_is_said_trap_31(valkey: RedisServer, client: Client) -> None:
    with busy(valkey, client), pytest.raises(ServerError, match="BUSY"):
        see(target_of(valkey))


def test_a_server_that_is_busy_for_a_while_is_waited_for_trap_31(valkey: RedisServer, client: Client) -> None:
    fill(client)
    with busy(valkey, client):
        killer = threading.Timer(0.3, end_script, [client])
        killer.start()
        snapshot = see(target_of(valkey))
        killer.join()
    assert (snapshot.coverage.ended, snapshot.coverage.keys_seen) == ("complete", 1020)
