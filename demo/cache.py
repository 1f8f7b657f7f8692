"""The service's traffic with Redis: the guide's seven families of keys, with hits and misses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

import redis
from redis.typing import EncodableT, FieldT

READS = 8_000
BATCH = 500
ABSENT_SHARE = 0.25

Hash = dict[FieldT, EncodableT]
Step = Callable[["redis.client.Pipeline"], object]
"""A command, to be put into a pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Keys of one kind: `name` makes one from a number, `reads` is their share of all reads in percent."""

    count: int
    ttl_seconds: int
    reads: int
    name: Callable[[int], str]
    value: Callable[[Random], str | Hash]


def _availability(random: Random) -> str:
    return f'{{"rooms": {random.getrandbits(5)}, "price_cents": {5_000 + random.getrandbits(14)}}}'


def _session(random: Random) -> Hash:
    return {"state": "active", "language": "es", "messages": str(random.getrandbits(4))}


def _breaker(random: Random) -> Hash:
    return {"state": "closed", "failures": str(random.getrandbits(2))}


def _pms_answer(random: Random) -> str:
    rooms = ", ".join(f'{{"room": {100 + n}, "free": {random.getrandbits(1)}}}' for n in range(20))
    return f'{{"rooms": [{rooms}]}}'


FAMILIES = (
    Family(
        count=1_800,
        ttl_seconds=300,
        reads=35,
        name=lambda n: f"availability:{n % 60}:2026-11-{1 + n % 30:02}:{n}",
        value=_availability,
    ),
    Family(count=1_200, ttl_seconds=1_800, reads=25, name=lambda n: f"session:{n:08x}", value=_session),
    Family(count=80, ttl_seconds=30, reads=2, name=lambda n: f"lock:room:{n}", value=lambda _: "agent-0"),
    Family(count=800, ttl_seconds=60, reads=12, name=lambda n: f"rate_limit:{n % 60}:{n}", value=lambda _: "1"),
    Family(count=60, ttl_seconds=3_600, reads=6, name=lambda n: f"circuit_breaker:pms:{n}", value=_breaker),
    Family(count=60, ttl_seconds=3_600, reads=10, name=lambda n: f"tenant:{n}", value=lambda _: '{"rooms": 40}'),
    Family(count=1_000, ttl_seconds=600, reads=10, name=lambda n: f"pms_cache:rooms:{n}", value=_pms_answer),
)
KEYS = sum(family.count for family in FAMILIES)


def run(url: str, seed: int) -> None:
    """Write every family's keys, then read: about a quarter of the reads ask for keys that are not there."""
    random = Random(f"{seed}:cache")
    with redis.Redis.from_url(url) as client:
        _send(client, _writes(random))
        _send(client, _reads(random))


def _send(client: redis.Redis, steps: Iterator[Step]) -> None:
    while batch := list(islice(steps, BATCH)):
        pipeline = client.pipeline(transaction=False)
        for step in batch:
            step(pipeline)
        pipeline.execute()


def _writes(random: Random) -> Iterator[Step]:
    for family in FAMILIES:
        for number in range(family.count):
            yield _write(family, family.name(number), family.value(random), random)


def _write(family: Family, key: str, value: str | Hash, random: Random) -> Step:
    ttl = family.ttl_seconds - int(random.random() * family.ttl_seconds / 10)

    def step(pipeline: "redis.client.Pipeline") -> None:
        if isinstance(value, dict):
            pipeline.hset(key, mapping=value)
            pipeline.expire(key, ttl)
        else:
            pipeline.set(key, value, ex=ttl)

    return step


def _reads(random: Random) -> Iterator[Step]:
    for family in FAMILIES:
        is_hash = isinstance(family.value(random), dict)
        for _ in range(READS * family.reads // 100):
            key = family.name(int(random.random() * family.count / (1 - ABSENT_SHARE)))
            yield _read_hash(key) if is_hash else _read_string(key)


def _read_hash(key: str) -> Step:
    return lambda pipeline: pipeline.hgetall(key)


def _read_string(key: str) -> Step:
    return lambda pipeline: pipeline.get(key)
