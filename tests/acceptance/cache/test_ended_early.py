"""Ctrl-C, and a server that goes away, while the pass runs: what was read is written, and the exit code says so."""

import re
import signal
import subprocess
from pathlib import Path

import redis

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import environment, started, wait_for_line
from tests.acceptance.cache.test_command import HERE
from tests.acceptance.cache.test_guide import report_in


def interrupted(folder: Path, hotel: RedisServer, *arguments: str, after: str) -> "subprocess.CompletedProcess[str]":
    """Ctrl-C as soon as a line of progress holds `after`."""
    with started([*arguments], folder, environment(hotel)) as process:
        seen = wait_for_line(process, after)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, seen + error)


def test_ctrl_c_during_the_window_writes_what_is_there(tmp_path: Path, hotel: RedisServer) -> None:
    done = interrupted(tmp_path, hotel, "--window", "10min", after="counting hits and misses")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    report = report_in(tmp_path / HERE)
    assert [skipped["part"] for skipped in report["incomplete"]] == ["interrupted"]
    assert report["summary"]["coverage"]["keys_seen"] >= 4_006


def test_ctrl_c_during_the_pass_writes_what_is_there(tmp_path: Path) -> None:
    with start_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            for batch in range(120):
                client.mset({f"session:{batch}:{number}": "x" for number in range(2_000)})
        done = interrupted(tmp_path, server, "--gentle", after="keys, ")
    assert done.returncode == 130
    assert re.search(r"NOT SEEN +interrupted", done.stdout)
    coverage = report_in(tmp_path / HERE)["summary"]["coverage"]
    assert 0 < coverage["keys_seen"] < 240_000
    assert coverage["confidence"].startswith("partial")


def test_a_server_that_dies_during_the_window_is_a_missing_part(tmp_path: Path) -> None:
    with start_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.mset({f"session:{number}": "x" for number in range(200)})
        with started(["--window", "6s"], tmp_path, environment(server)) as process:
            wait_for_line(process, "counting hits and misses")
            server.stop()
            _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "counters at the end" in {skipped["part"] for skipped in report_in(tmp_path / HERE)["incomplete"]}
