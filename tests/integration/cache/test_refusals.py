"""What a server answers in anger: nothing that we sent comes back to the user, and it is an error of the server's."""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import msgspec
import pytest
import redis

from dbvitals.collect import redis_pass
from dbvitals.collect.key_ages import sample_ages
from dbvitals.collect.redis_wire import Wire
from dbvitals.errors import ServerError
from dbvitals.sandbox import RedisServer
from dbvitals.sandbox.ports import free_port
from dbvitals.settings_redis import RedisTarget
from tests.integration.cache.ground import (
    FOLDING,
    Client,
    binary_of,
    fill,
    parts_missing,
    patterns_of,
    reads_of,
    run,
    see,
    target_of,
    until,
)
from tests.integration.cache.relay import cut_at

GUEST, SECRET = "maria@example.org", "s3cret-word"
RENAMED = ("PTTL", "MEMORY", "TYPE", "OBJECT", "AUTH")
SCRIPTS = ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO")


@contextmanager
def without(kind: str, *commands: str) -> Iterator[RedisTarget]:
    """A server that does not know these commands, and asks for no password."""
    port = free_port()
    known = [name for name in commands if not (kind == "redis-6.2" and name.endswith("_RO"))]
    settings = ["bind 127.0.0.1", f"port {port}", 'save ""', *(f'rename-command {name} ""' for name in known)]
    with subprocess.Popen(
        [binary_of(kind).path, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write("\n".join(settings))
        process.stdin.close()
        try:
            with redis.Redis(host="127.0.0.1", port=port) as client:
                until(lambda: answers(client))
            yield RedisTarget(host="127.0.0.1", port=port)
        finally:
            process.terminate()


def answers(client: Client) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


@pytest.mark.parametrize("kind", ["valkey-9.1", "debian", "redis-6.2"])
@pytest.mark.parametrize("scripts", [(), SCRIPTS], ids=["scripts", "pipelines"])
def test_neither_a_key_nor_the_password_comes_back_from_a_renamed_command(kind: str, scripts: tuple[str, ...]) -> None:
    with without(kind, *RENAMED, *scripts) as target:
        with redis.Redis(host=target.host, port=target.port) as client:
            client.mset({f"session:{GUEST}:{number}": "x" for number in range(40)})
        snapshot = see(target)
        with Wire(target, connect_timeout=10, answer_timeout=30) as wire:
            ages = sample_ages(wire, FOLDING, keys=100, random=Random(1))
        with pytest.raises(ServerError) as caught:
            see(replace(target, password=SECRET))
    assert {"times to live", "sizes of keys", "types of keys"} <= parts_missing(snapshot)
    assert patterns_of(snapshot)["session:*"].count == 40
    assert "unknown command" in ages.skipped[0].why
    for text in (msgspec.json.encode(snapshot).decode(), str(ages.skipped), str(caught.value)):
        assert GUEST not in text
        assert SECRET not in text
        assert "beginning with" not in text


@pytest.mark.parametrize("kind", ["valkey-9.1", "debian", "redis-6.2"])
@pytest.mark.parametrize("renamed", [True, False], ids=["renamed", "denied"])
def test_without_time_the_client_measures_for_itself(kind: str, renamed: bool) -> None:
    with without(kind, *(["TIME"] if renamed else [])) as target:
        with redis.Redis(host=target.host, port=target.port) as client:
            fill(client)
            run(client, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-time")
        snapshot = see(target if renamed else replace(target, user="reader", password="pw"))
    assert (snapshot.coverage.method, snapshot.coverage.ended, snapshot.skipped) == ("script", "complete", ())
    assert snapshot.coverage.keys_seen == 1_020


def test_a_key_that_vanishes_where_pttl_is_denied_is_a_miss_of_ours(
    valkey: RedisServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice lets nothing happen between SCAN and its looks: so this one deletes a key itself."""
    scan = b"  cursor = page[1]\n"
    assert redis_pass.SCRIPT.count(scan) == 1
    deleting = redis_pass.SCRIPT.replace(scan, scan + b"  redis.call('DEL', unpack(page[2]))\n")
    monkeypatch.setattr(redis_pass, "SCRIPT", deleting)
    monkeypatch.setattr(redis_pass, "SHA", hashlib.sha1(deleting, usedforsecurity=False).hexdigest())
    fill(client)
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "+@all", "-pttl", "-eval_ro", "-evalsha_ro")
    before = reads_of(client)
    own = see(target_of(valkey, user="reader", password="pw")).after[0]
    after = reads_of(client)
    assert own.own_misses > 0
    assert (own.own_hits, own.own_misses) == (after.hits - before.hits, after.misses - before.misses)


@pytest.mark.parametrize("word", [b"SETNAME", b"INFO", b"CONFIG", b"SELECT"])
def test_a_connection_that_is_lost_before_the_pass_is_an_error_of_the_server(
    valkey: RedisServer, client: Client, word: bytes
) -> None:
    fill(client)
    with cut_at(valkey, word) as port, pytest.raises(ServerError, match="closed"):
        see(target_of(valkey, port=port, db=1))
