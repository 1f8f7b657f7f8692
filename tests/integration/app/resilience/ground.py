"""The parts of the PMS access put together as the service does, and the servers that they meet."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from pydantic import HttpUrl, SecretStr
from redis.asyncio import Redis

from app.core.metrics import CacheMetrics, HitRatio, PmsMetrics
from app.core.redis import Family, Keys, RedisClient, RedisSettings
from app.services.circuit_breaker import CircuitBreaker
from app.services.local_breaker import BreakerPolicy, State
from app.services.pms import PmsClient, PmsSettings
from app.services.pms_cache import PmsCache
from app.services.pms_types import Nights, PmsFailedError, Stay
from app.services.read_through import CachePolicy
from dbvitals.sandbox.ports import LOOPBACK

ROOT = Path(__file__).parents[4]
HOTEL = "hotel-miravalle"
NIGHTS = Nights(hotel=HOTEL, arrival=date(2026, 11, 24), departure=date(2026, 11, 26))
STAY = Stay(nights=NIGHTS, guests=2)

BREAKER = BreakerPolicy(failures=3, window=10.0, open_for=0.5, jitter=0.1, probes=2, probe_for=5.0)
HALF_OPEN_AFTER = 0.6
CACHE = CachePolicy(fresh=60.0, grace=60.0, wait=3.0)
STALE_AT_ONCE = CachePolicy(fresh=0.001, grace=60.0, patience=0.2, wait=3.0)


class Pms:
    """The sandbox PMS, running; `dial` sets its faults and makes its counts begin again."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self.http = http

    def dial(self, **setting: float | str) -> None:
        self.http.put("/_dial", json=setting).raise_for_status()

    def requests(self, operation: str) -> int:
        shown = self.http.get("/_dial").raise_for_status().json()
        return int(shown["requests"].get(operation, 0))


@contextmanager
def running_pms() -> Iterator[Pms]:
    command = [sys.executable, "-m", "demo.pms", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=url, trust_env=False) as http:
                yield Pms(url, http)
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One process's access to the PMS, with what it has counted. `states` are those the breaker was seen in."""

    redis: RedisClient
    keys: Keys
    breaker: CircuitBreaker
    pms: PmsClient
    cache: PmsCache
    registry: CollectorRegistry
    states: list[State]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@asynccontextmanager
async def desk(
    redis_url: str,
    pms_url: str,
    *,
    breaker: BreakerPolicy = BREAKER,
    cache: CachePolicy = CACHE,
    pms_timeout: float = 2.0,
    redis_timeout: float = 2.0,
) -> AsyncIterator[Desk]:
    settings = RedisSettings(
        redis_url=SecretStr(redis_url), redis_timeout=redis_timeout, redis_away_first=0.05, redis_away_longest=0.2
    )
    registry = CollectorRegistry()
    pms_metrics, cache_metrics = PmsMetrics(registry), CacheMetrics(registry)
    registry.register(HitRatio(cache_metrics.lookups))
    redis, keys = RedisClient(settings), Keys(settings.redis_key_secret)
    pms_settings = PmsSettings(
        pms_base_url=HttpUrl(pms_url), pms_timeout=pms_timeout, pms_attempts=2, pms_retry_first=0.01
    )
    states: list[State] = []

    def observe(state: State) -> None:
        states.append(state)
        pms_metrics.observe_breaker(pms_settings.pms_name, state)

    guard = CircuitBreaker("the PMS", breaker_key(keys), redis, breaker, PmsFailedError, observe=observe)
    pms = PmsClient(pms_settings, guard, pms_metrics)
    cached = PmsCache(pms, redis, keys, cache_metrics, availability=cache, rates=cache)
    try:
        yield Desk(redis=redis, keys=keys, breaker=guard, pms=pms, cache=cached, registry=registry, states=states)
    finally:
        await cached.aclose()
        await pms.aclose()
        await redis.aclose()


async def send(redis: RedisClient, *command: str | bytes | int) -> Any:
    """Send a command as redis-cli does."""

    async def execute(link: Redis) -> Any:
        return await link.execute_command(*command)  # type: ignore[no-untyped-call]

    return await redis.run(execute)


def breaker_key(keys: Keys) -> str:
    return keys.make(Family.CIRCUIT_BREAKER, "pms")


class KillableRedis:
    """A Redis on a port that it keeps, killed and started again by the test."""

    def __init__(self, program: Path, port: int, folder: Path) -> None:
        options = {"--port": str(port), "--bind": LOOPBACK, "--save": "", "--dir": str(folder)}
        self._command = [str(program), *chain.from_iterable(options.items())]
        self.url = f"redis://{LOOPBACK}:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise AssertionError("Redis did not start")

    def kill(self) -> None:
        """End it with SIGKILL; again has no effect."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class Peer:
    """Another process of the service, see peer.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def do(self, task: str) -> object:
        return await asyncio.to_thread(self._ask, task)

    def _ask(self, task: str) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{task}\n")
        self._process.stdin.flush()
        return self.listen()

    def listen(self) -> object:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def running_peer(redis_url: str, pms_url: str) -> Iterator[Peer]:
    command = [sys.executable, "-m", "tests.integration.app.resilience.peer", redis_url, pms_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        peer = Peer(process)
        try:
            assert peer.listen() == "ready"
            yield peer
        finally:
            process.terminate()
