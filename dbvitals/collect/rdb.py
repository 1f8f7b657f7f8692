"""The keyspace from a dump file: the same snapshot as from a server, without asking one."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.rdb_calibration import Calibration, Measure, calibrate, uncalibrated
from dbvitals.collect.rdb_file import About, DumpFile
from dbvitals.collect.rdb_records import Walk
from dbvitals.collect.rdb_tally import Reading
from dbvitals.collect.redis import INTERRUPTED
from dbvitals.model import Skipped
from dbvitals.snapshot_keyspace import KEYSPACE_VERSION, Coverage, DatabaseInfo, KeyspaceSnapshot, NodeInfo

NO_COUNTERS = Skipped(
    part="hit ratio, evictions, limits",
    why="a dump holds keys, not the server's counters or settings",
    mend="run it on the server, without --rdb",
)

Ended = Literal["complete", "interrupted"]
ShowProgress = Callable[[int, int], None]
"""Told of the bytes that have been read, and of all."""


def read_rdb(
    path: Path,
    folding: Folding,
    *,
    now: datetime | None = None,
    db: int | None = None,
    show_keys: bool = False,
    measure: Measure | None = None,
    progress: ShowProgress = lambda done, total: None,
) -> KeyspaceSnapshot:
    """Read a dump. `db` is one logical database, None all of them.

    TTLs count from `now`, by default the moment that the dump was made; keys that had expired by then are `gone`.
    `measure` calibrates the sizes (`rdb_calibration.measure_by`).

    Raises RdbError for a file that is no whole dump, UsageError when nothing could be calibrated.
    """
    started = time.monotonic()
    with DumpFile(path) as file:
        calibration = calibrate(file, measure) if measure else uncalibrated(file)
        now = now or file.about.made_at or datetime.fromtimestamp(path.stat().st_mtime, UTC)
        reading = Reading(Harvest(folding, show_keys), calibration, round(now.timestamp() * 1000), db)
        ended: Ended = "interrupted"
        with suppress(KeyboardInterrupt):
            reading.take(Walk(file, calibration.model).records(), lambda place: progress(place, len(file.dump)))
            ended = "complete"
        reading.settle()
        coverage = _coverage(reading, ended, time.monotonic() - started)
        return _snapshot(path, file, reading, calibration, now, coverage)


def _snapshot(
    path: Path, file: DumpFile, reading: Reading, calibration: Calibration, now: datetime, coverage: Coverage
) -> KeyspaceSnapshot:
    databases = tuple(
        DatabaseInfo(index=index, keys=found.keys, expires=found.expires, volatile_items=found.volatile_items)
        for index, found in sorted(reading.databases.items())
    )
    return KeyspaceSnapshot(
        snapshot_version=KEYSPACE_VERSION,
        source=str(path),
        database="all" if reading.db is None else str(reading.db),
        user="",
        taken_at=now,
        nodes=(_node(path, file.about, databases, reading),),
        coverage=coverage,
        patterns=reading.harvest.tally.freeze(),
        tenants=reading.harvest.tenant_shares(),
        tenants_seen=len(reading.harvest.tenants),
        names_shown=reading.harvest.show_keys,
        skipped=_skipped(calibration, coverage),
    )


def _skipped(calibration: Calibration, coverage: Coverage) -> tuple[Skipped, ...]:
    estimated = () if calibration.measured else (_estimated(calibration),)
    interrupted = (INTERRUPTED,) if coverage.ended == "interrupted" else ()
    return (NO_COUNTERS, *estimated, *interrupted)


def _coverage(reading: Reading, ended: Ended, seconds: float) -> Coverage:
    seen = reading.harvest.seen
    return Coverage(
        mode="rdb", method="file", ended=ended, keys_seen=seen, keys_before=seen, keys_after=seen, seconds=seconds
    )


def _node(path: Path, about: About, databases: tuple[DatabaseInfo, ...], reading: Reading) -> NodeInfo:
    """What a dump tells of the server that wrote it."""
    seen = reading.harvest.seen
    return NodeInfo(
        name=path.name,
        host=str(path),
        port=0,
        role="primary",
        product={"redis": "Redis", "valkey": "Valkey"}[about.product],
        version=about.version or "unknown",
        mode="standalone",
        process_seconds=0,
        used_memory=about.used_memory or 0,
        peak_memory=None,
        keyspace_bytes=None,
        maxmemory=0,
        maxmemory_policy="unknown",
        fragmentation_ratio=None,
        fragmentation_bytes=None,
        expired_stale_percent=100 * reading.expired / seen if seen else None,
        lag_bytes=None,
        lag_seconds=None,
        databases=databases,
        config={},
    )


def _estimated(calibration: Calibration) -> Skipped:
    return Skipped(
        part="measured bytes",
        why=f"a dump holds lengths; what they take is estimated for {calibration.model.allocator.name}",
        mend="give --calibrate, with the address of the server that wrote the dump",
    )
