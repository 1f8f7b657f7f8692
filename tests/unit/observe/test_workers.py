"""Workers that answer for one another."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbvitals.observe.windows import WindowRecorder
from dbvitals.observe.workers import publish, published
from dbvitals.snapshot_pool import POOL_SCHEMA_VERSION, PoolObservation, PoolState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def observation(process: int, name: str = "main", checked_out: int = 0) -> PoolObservation:
    return PoolObservation(
        schema_version=POOL_SCHEMA_VERSION,
        application="test",
        process=process,
        taken_at=NOW,
        pool=PoolState(name=name, size=5, max_overflow=0, checked_out=checked_out, idle=0, pending=0, timeouts_total=0),
        window=WindowRecorder(0.0, NOW).recent(1.0),
    )


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(60)
    return process.pid


def test_each_worker_and_each_pool_is_told_of_as_it_last_was(tmp_path: Path) -> None:
    ours, parents = os.getpid(), os.getppid()
    for seen in (observation(ours), observation(parents), observation(ours, "admin"), observation(ours, checked_out=3)):
        publish(tmp_path, seen)
    told = published(tmp_path)
    assert {(seen.process, seen.pool.name, seen.pool.checked_out) for seen in told} == {
        (ours, "main", 3),
        (ours, "admin", 0),
        (parents, "main", 0),
    }


def test_what_a_dead_worker_left_is_taken_away(tmp_path: Path) -> None:
    publish(tmp_path, observation(dead_process()))
    assert len(list(tmp_path.iterdir())) == 1
    assert published(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b\n'\"<script>", "🏨" * 15])
def test_any_name_of_a_pool_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    seen = observation(os.getpid(), name)
    publish(folder, seen)
    assert published(folder) == [replace(seen)]
    assert list(tmp_path.iterdir()) == [folder]


def test_nobody_else_may_read_which_lines_hold_connections(tmp_path: Path) -> None:
    publish(tmp_path, observation(os.getpid()))
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
