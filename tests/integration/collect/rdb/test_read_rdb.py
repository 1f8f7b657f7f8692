"""A dump of a live server against what the server itself says, and against what was written into it."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from benchmarks.keyspace_loader import Truth, load, measured_bytes
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import percentile
from dbvitals.collect import rdb_tally
from dbvitals.collect.rdb import read_rdb
from dbvitals.collect.rdb_calibration import measure_by
from dbvitals.collect.rdb_strings import RdbError
from dbvitals.collect.redis_wire import Wire
from dbvitals.errors import UsageError
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, PatternStats

KEYS = 20_000
LATER = 3_600_000
"""Milliseconds by which all expiries are put off, so that nothing expires while it is looked at."""

NAMES = ("availability", "session", "lock", "rate_limit", "circuit_breaker", "tenant", "pms_cache")
FAMILIES = [KeyFamily(pattern=f"{name}:*", description=name) for name in NAMES]
FOLDING = Folding(FAMILIES)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One of our own: what a SAVE writes lies in its folder."""
    with start_redis() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as link:
        yield link


@pytest.fixture(scope="module")
def truth(server: RedisServer) -> dict[str, Truth]:
    return load(server.url, keys=KEYS, seed=7, now_ms=round(time.time() * 1000) + LATER)


@pytest.fixture(scope="module")
def dump(client: Redis, truth: dict[str, Truth], tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert truth
    return saved(client, tmp_path_factory.mktemp("dump"))


def saved(client: Redis, folder: Path) -> Path:
    """Have the server write a dump, and take it away before it writes another."""
    client.save()
    found = client.config_get()
    return Path(shutil.copy(Path(str(found["dir"])) / str(found["dbfilename"]), folder))


def target(server: RedisServer) -> RedisTarget:
    return RedisTarget(host=server.host, port=server.port, password=server.password)


def by_pattern(snapshot: KeyspaceSnapshot) -> dict[str, PatternStats]:
    return {stats.pattern: stats for stats in snapshot.patterns}


def test_keys_and_ttls_are_exact(dump: Path, truth: dict[str, Truth]) -> None:
    snapshot = read_rdb(dump, FOLDING)
    now_ms = round(snapshot.taken_at.timestamp() * 1000)
    stats = by_pattern(snapshot)
    for pattern, known in truth.items():
        if pattern == "hostile":
            continue
        found = stats[pattern]
        assert (pattern, found.count, found.no_ttl, found.gone) == (pattern, known.keys, known.no_ttl, 0)
        staying = found.memory_bytes if known.no_ttl == known.keys else 0 if known.no_ttl == 0 else None
        assert staying in (None, found.no_ttl_bytes)
        if known.expiries:
            assert (found.ttl_min_ms, found.ttl_max_ms) == known.ttl_range(now_ms)
            assert found.ttl_sum_ms == sum(known.expiries) - now_ms * len(known.expiries)
            median = sorted(known.expiries)[len(known.expiries) // 2] - now_ms
            assert percentile(found.ttl_buckets, 0.5) == pytest.approx(median, rel=0.05)
    assert sum(one.count for one in snapshot.patterns) == sum(known.keys for known in truth.values())
    assert (snapshot.coverage.mode, snapshot.coverage.ended) == ("rdb", "complete")


def test_calibrated_bytes_are_those_of_the_server(server: RedisServer, dump: Path) -> None:
    with Wire(target(server), connect_timeout=10, answer_timeout=10) as wire:
        stats = by_pattern(read_rdb(dump, FOLDING, measure=measure_by(wire)))
    measured = measured_bytes(server.url, FOLDING.pattern_of)
    total = sum(one.memory_bytes for one in stats.values())
    assert total == pytest.approx(sum(measured.values()), rel=0.02)
    # A single large collection may be half-way between two tables, both of which the server counts.
    for pattern in (name for name in measured if stats[name].count > 100):
        assert stats[pattern].memory_bytes == pytest.approx(measured[pattern], rel=0.05), pattern


def test_keys_of_all_databases_calibrate(client: Redis, server: RedisServer, tmp_path: Path) -> None:
    with Redis(host=server.host, port=server.port, password=server.password, db=6) as sixth:
        for number in range(60):
            sixth.set(f"other:{number}", "x" * 200)
        path = saved(client, tmp_path)
        with Wire(target(server), connect_timeout=10, answer_timeout=10) as wire:
            stats = by_pattern(read_rdb(path, FOLDING, db=6, measure=measure_by(wire)))
        assert stats["other:<n>"].memory_bytes == 60 * int(sixth.memory_usage("other:1") or 0)
        sixth.flushdb()


def test_without_calibration_it_says_that_bytes_are_estimates(dump: Path) -> None:
    snapshot = read_rdb(dump, FOLDING)
    assert {skipped.part for skipped in snapshot.skipped} == {"hit ratio, evictions, limits", "measured bytes"}


def test_the_largest_keys_are_named_with_type_and_encoding(dump: Path, client: Redis) -> None:
    (giant,) = by_pattern(read_rdb(dump, FOLDING))["giant:hash"].largest
    assert (giant.key, giant.type, giant.encoding, giant.samples) == ("giant:hash", "hash", "hashtable", 0)
    assert giant.memory_bytes == pytest.approx(client.memory_usage("giant:hash", samples=0), rel=0.05)


def test_names_are_masked_unless_asked_for(dump: Path) -> None:
    pattern = "token:<hex>"
    masked = by_pattern(read_rdb(dump, FOLDING))[pattern]
    shown = by_pattern(read_rdb(dump, FOLDING, show_keys=True))[pattern]
    assert all(name.endswith("...") for name in masked.samples)
    assert all(len(name) == len("token:") + 32 for name in shown.samples)


def test_what_had_expired_by_then_is_gone(dump: Path, truth: dict[str, Truth]) -> None:
    much_later = datetime.now(UTC) + timedelta(days=400)
    snapshot = read_rdb(dump, FOLDING, now=much_later)
    stats = by_pattern(snapshot)["availability:*"]
    assert (stats.count, stats.gone, stats.memory_bytes) == (0, truth["availability:*"].keys, 0)
    expired = sum(len(known.expiries) for known in truth.values())
    total = sum(known.keys for known in truth.values())
    assert snapshot.nodes[0].expired_stale_percent == pytest.approx(100 * expired / total)


def test_one_database_or_all(client: Redis, server: RedisServer, truth: dict[str, Truth], tmp_path: Path) -> None:
    with Redis(host=server.host, port=server.port, password=server.password, db=5) as fifth:
        fifth.set("session:other", "x", ex=9999)
        path = saved(client, tmp_path)
        fifth.flushdb()
    alone = read_rdb(path, FOLDING, db=5)
    assert [(stats.pattern, stats.count) for stats in alone.patterns] == [("session:*", 1)]
    assert [(base.index, base.keys, base.expires) for base in alone.nodes[0].databases][1] == (5, 1, 1)
    everything = by_pattern(read_rdb(path, FOLDING))
    assert everything["session:*"].count == truth["session:*"].keys + 1


def test_memory_is_told_by_tenant(dump: Path, truth: dict[str, Truth]) -> None:
    folding = Folding([KeyFamily(pattern="tenant:*", description="", tenant_part=1)])
    snapshot = read_rdb(dump, folding, show_keys=True)
    assert len(snapshot.tenants) == 100
    assert {one.keys for one in snapshot.tenants} == {1}
    assert truth["tenant:*"].keys > 100
    assert snapshot.tenants[0].memory_bytes >= snapshot.tenants[-1].memory_bytes > 0


def test_few_keys_at_a_time_make_the_same_sums(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = by_pattern(read_rdb(dump, FOLDING))
    monkeypatch.setattr(rdb_tally, "SETTLE_EVERY", 777)
    for pattern, stats in by_pattern(read_rdb(dump, FOLDING)).items():
        # Each part is rounded to whole bytes.
        assert stats.memory_bytes == pytest.approx(at_once[pattern].memory_bytes, abs=100)
        assert (stats.count, stats.no_ttl, stats.ttl_buckets) == (
            at_once[pattern].count,
            at_once[pattern].no_ttl,
            at_once[pattern].ttl_buckets,
        )
        assert stats.largest[0].memory_bytes == at_once[pattern].largest[0].memory_bytes  # which of equals is chance


def test_the_short_way_to_a_family_gives_what_folding_gives() -> None:
    families = [
        *FAMILIES,
        KeyFamily(pattern="session:guest:*", description=""),
        KeyFamily(pattern="x*", description=""),
    ]
    folding = Folding(families)
    heads, separator = folding.heads()
    assert b"session:" not in heads
    for name in (
        b"lock:1",
        b"lock:",
        b"locksmith",
        b"xlock:1",
        b"session:guest:1",
        b"session:1",
        b"",
        b":",
        b"{lock:1}",
    ):
        short = heads.get(name[: name.find(separator) + 1])
        assert short in (None, folding.pattern_of(name)), name
    assert heads[b"lock:"] == "lock:*"


def test_two_readings_differ_in_nothing_but_time(dump: Path) -> None:
    one, other = read_rdb(dump, FOLDING), read_rdb(dump, FOLDING)
    assert (one.patterns, one.nodes, one.taken_at) == (other.patterns, other.nodes, other.taken_at)


def test_progress_goes_up_to_the_end(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdb_tally, "SETTLE_EVERY", 1_000)
    told: list[tuple[int, int]] = []
    read_rdb(dump, FOLDING, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert 0.9 * told[-1][1] < told[-1][0] <= told[-1][1] == dump.stat().st_size


def test_an_interruption_leaves_what_was_read(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdb_tally, "SETTLE_EVERY", 1_000)

    def interrupt(done: int, total: int) -> None:
        if done > total / 3:
            raise KeyboardInterrupt

    snapshot = read_rdb(dump, FOLDING, progress=interrupt)
    assert snapshot.coverage.ended == "interrupted"
    assert 0 < snapshot.coverage.keys_seen < KEYS


def test_a_server_with_other_keys_cannot_calibrate(dump: Path) -> None:
    with (
        start_redis() as other,
        Wire(target(other), connect_timeout=10, answer_timeout=10) as wire,
        pytest.raises(UsageError, match=r"--calibrate found 0 of \d+ keys"),
    ):
        read_rdb(dump, FOLDING, measure=measure_by(wire))


def test_a_dump_that_is_cut_off_is_refused(dump: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.rdb"
    cut.write_bytes(dump.read_bytes()[:200_000])
    with pytest.raises(RdbError, match="cut off"):
        read_rdb(cut, FOLDING)
