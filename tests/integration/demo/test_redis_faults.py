"""The faults of the demo's Redis: planted in a real one, and looked up in a report."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dbvitals.analyse.keyspace_recommend import CACHE_CATEGORIES
from dbvitals.sandbox import RedisServer, start_redis
from demo.found import findings_in, lines
from demo.redis_faults import REDIS_FAULTS, SERVER, plant_in_redis


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One of its own: its limits and its policy are among the faults."""
    with start_redis() as server:
        yield server


def ignore(_: str) -> None:
    """Nobody listens."""


def planted(server: RedisServer, seed: int) -> dict[str, str]:
    """The names that the faults leave in an empty Redis, each with its type."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.config_set("maxmemory", 0)
        client.flushall()
        plant_in_redis(server.url, REDIS_FAULTS, seed, ignore)
        names = [str(key) for key in client.scan_iter(count=1_000)]
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.type(name)
        return dict(zip(names, map(str, pipeline.execute()), strict=True))


def test_the_same_seed_plants_the_same_keys(server: RedisServer) -> None:
    first = planted(server, 1)
    assert planted(server, 1) == first
    assert planted(server, 2).keys() != first.keys()


def test_it_is_small_and_nearly_fills_what_it_allows(server: RedisServer) -> None:
    assert len(planted(server, 1)) < 14_000
    with redis.Redis.from_url(server.url) as client:
        memory = client.info("memory")
    assert memory["maxmemory_policy"] == "volatile-lru"
    assert 80 <= 100 * memory["used_memory"] / memory["maxmemory"] < 95
    assert memory["used_memory"] < 32 * 1024 * 1024


def test_each_fault_is_told_and_asks_for_a_finding_of_its_own_by_a_rule_that_exists(server: RedisServer) -> None:
    heard: list[str] = []
    plant_in_redis(server.url, REDIS_FAULTS, 1, heard.append)
    assert heard == [fault.what for fault in REDIS_FAULTS]
    assert len({fault.finding for fault in REDIS_FAULTS}) == len({fault.id for fault in REDIS_FAULTS}) == len(heard)
    assert {fault.rule for fault in REDIS_FAULTS} <= CACHE_CATEGORIES.keys()


def test_the_limit_of_memory_is_set_when_all_else_is_there() -> None:
    assert REDIS_FAULTS[-1].id == "full"


def test_what_a_report_names_is_found_and_what_it_does_not_name_is_said_to_be_missing(tmp_path: Path) -> None:
    lock = next(fault for fault in REDIS_FAULTS if fault.rule == "RED006")
    full = next(fault for fault in REDIS_FAULTS if fault.rule == "RED008")
    findings = [
        {"rule": "RED006", "subject": {"kind": "keys", "name": "session:*"}},
        {"rule": "RED008", "subject": {"kind": "redis", "name": "127.0.0.1:6379"}},
    ]
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"findings": findings}))
    found = findings_in(report)
    assert found == {("RED006", "session:*"), ("RED008", SERVER)}
    assert list(lines([full, lock], found)) == [
        f"  RED006  {lock.what} (NOT FOUND)",
        f"  RED008  {full.what} (the server)",
    ]
