"""A server that is full, that restarts in mid-watch, and a user who presses Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, start_postgres
from tests.acceptance.cli.conftest import bare_environment
from tests.acceptance.connections.test_guide import METRICS, REPORT, metrics_of, report_of
from tests.integration.connections.crowd import Crowd, until

PATIENCE = 60


@pytest.fixture(scope="module")
def small() -> Iterator[PostgresServer]:
    settings = {"autovacuum": "off", "max_connections": "8", "superuser_reserved_connections": "3"}
    with start_postgres(settings=settings) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role hotel login")
            admin.execute("create role narrow login connection limit 1")
        yield server


def command(folder: Path, dsn: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "dbvitals", "connections", "--dsn", dsn, *arguments],
        cwd=folder,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def fill(crowd: Crowd, dsn: str) -> None:
    """Until the server refuses, for want of connections and nothing else."""
    for _ in range(20):
        try:
            crowd.open(dsn)
        except psycopg.OperationalError as error:
            assert "remaining connection slots" in str(error)  # noqa: PT017 -- any number of them may come before
            return
    pytest.fail("the server is never full")


def test_a_full_server_is_the_report_and_everything_is_written(
    small: PostgresServer, crowd: Crowd, tmp_path: Path
) -> None:
    fill(crowd, small.dsn(user="hotel"))
    code, out, err = finished(command(tmp_path, small.dsn(user="hotel"), "--prometheus", "--threshold", "80"))
    report = report_of(tmp_path)
    assert code == 1
    assert "ALERT: pool utilisation 100 %" in err
    assert [finding["severity"] for finding in report["findings"] if finding["rule"] == "CON005"] == ["critical"]
    assert "remaining connection slots" in report["server_full"]
    assert report["summary"]["total_connections"] is None
    assert report["summary"]["server_connections_percent"] == 100
    assert "no connection left" in out
    metrics = metrics_of(tmp_path)
    assert (metrics["db_pool_utilization_percent"], metrics["dbvitals_up"]) == (100, 0)
    assert "db_pool_active_connections" not in metrics


def test_a_full_server_without_a_threshold_is_3(small: PostgresServer, crowd: Crowd, tmp_path: Path) -> None:
    fill(crowd, small.dsn(user="hotel"))
    code, _, _ = finished(command(tmp_path, small.dsn(user="hotel")))
    assert code == 3
    assert (tmp_path / REPORT).exists()


def test_trap_40_a_role_that_has_no_connection_left_is_the_same(
    small: PostgresServer, crowd: Crowd, tmp_path: Path
) -> None:
    crowd.open(small.dsn(user="narrow"))
    code, out, err = finished(command(tmp_path, small.dsn(user="narrow"), "--threshold", "80"))
    report = report_of(tmp_path)
    assert code == 3
    assert 'too many connections for role "narrow"' in report["server_full"]
    assert "ALTER ROLE narrow CONNECTION LIMIT" in report["recommendations"][0]["action"]
    assert "--threshold cannot be judged" in err
    assert "the server has no connection left" not in out


@pytest.mark.parametrize(
    ("options", "code"), [((), 3), (("--threshold", "80"), 1), (("--threshold", "100"), 3), (("--fail-on", "high"), 1)]
)
def test_a_full_server_weighs_more_than_what_is_missing_from_its_report(
    small: PostgresServer, crowd: Crowd, tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    fill(crowd, small.dsn(user="hotel"))
    found, _, err = finished(command(tmp_path, small.dsn(user="hotel"), "--strict", *options))
    assert found == code
    assert ("ALERT" in err) == ("80" in options)


def test_a_watch_that_is_in_goes_on_when_the_server_fills_up(
    small: PostgresServer, crowd: Crowd, tmp_path: Path
) -> None:
    process = command(tmp_path, small.dsn(user="hotel"), "--watch", "--interval", "1s", "--duration", "0")
    wait_for_a_line(process)
    fill(crowd, small.dsn(user="hotel"))
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    code, _, _ = finished(process)
    assert code == 0
    report = report_of(tmp_path)
    assert report["server_full"] is None
    assert "CON005" in {finding["rule"] for finding in report["findings"]}


def wait_for_a_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_ctrl_c_writes_what_was_seen_and_says_so(small: PostgresServer, tmp_path: Path) -> None:
    process = command(tmp_path, small.dsn(), "--watch", "--interval", "1s", "--duration", "10min")
    wait_for_a_line(process)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert (code, err) == (130, "")
    report = report_of(tmp_path)
    assert [part["part"] for part in report["incomplete"]] == ["interrupted"]
    assert report["samples"]


def test_ctrl_c_above_the_threshold_is_130_and_the_alert(small: PostgresServer, crowd: Crowd, tmp_path: Path) -> None:
    crowd.open(small.dsn())
    options = ("--watch", "--interval", "1s", "--duration", "10min", "--pool-size", "1", "--max-overflow", "0")
    process = command(tmp_path, small.dsn(), *options, "--threshold", "80", "--strict")
    wait_for_a_line(process)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == 130
    assert "ALERT: pool utilisation 100 %" in err


def test_a_watch_without_end_ends_well_when_it_is_stopped(small: PostgresServer, tmp_path: Path) -> None:
    process = command(tmp_path, small.dsn(), "--watch", "--interval", "1s", "--duration", "0")
    wait_for_a_line(process)
    process.send_signal(signal.SIGTERM)
    code, _, err = finished(process)
    assert (code, err) == (0, "")
    assert report_of(tmp_path)["incomplete"] == []


def test_trap_54_a_restart_in_mid_watch_is_a_gap_and_the_watch_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with start_postgres(home=home):
        pass
    first = start_postgres(home=home, settings={"autovacuum": "off"})
    dsn = first.dsn()
    arguments = ("--watch", "--interval", "1s", "--duration", "0", "--prometheus")
    process = command(tmp_path, dsn, *arguments)
    try:
        wait_for_a_line(process)
        first.stop()
        time.sleep(1)
        with start_postgres(home=home, settings={"autovacuum": "off"}):
            lines = line_with(process, "no server for")
            process.send_signal(signal.SIGINT)
            code, _, err = finished(process)
    finally:
        process.kill()
        first.stop()
    assert lines
    assert code == 0
    assert "no server: " in err
    assert "the server is back" in err
    report = report_of(tmp_path)
    assert len(report["gaps"]) == 1
    assert report["gaps"][0]["seconds"] >= 1
    assert any(sample["gap_seconds"] > 0 for sample in report["samples"])
    assert json.loads((tmp_path / REPORT).read_text())["watched"]["probes"] > 0
    assert (tmp_path / METRICS).exists()


def test_a_server_that_does_not_come_back_leaves_no_healthy_figures(tmp_path: Path) -> None:
    server = start_postgres()
    process = command(tmp_path, server.dsn(), "--watch", "--interval", "1s", "--duration", "0", "--prometheus")
    try:
        wait_for_a_line(process)
        server.stop()
        assert process.stderr is not None
        assert "no server: " in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _, _ = finished(process)
    finally:
        process.kill()
        server.stop()
    report = report_of(tmp_path)
    assert code == 3
    assert report["server_lost"]
    assert [part["part"] for part in report["incomplete"]] == ["the end of the watch"]
    assert metrics_of(tmp_path).keys() == {"dbvitals_up", "dbvitals_last_success_timestamp_seconds"}


def test_figures_are_stale_at_once_when_the_server_goes_and_fresh_when_it_is_back(crowd: Crowd, tmp_path: Path) -> None:
    """At once, and not at the interval's end: that one is in an hour."""
    home = tmp_path / "home"
    with start_postgres(home=home):
        pass
    first = start_postgres(home=home)
    process = command(tmp_path, first.dsn(), "--watch", "--interval", "60min", "--duration", "0", "--prometheus")
    try:
        admin = crowd.open(first.dsn(), "admin")
        # The first tree may be there before the first look; when the second one is told, the watch is under way.
        for number in (7, 8):
            lock = f"select pg_advisory_lock({number})"
            crowd.open(first.dsn(), "root").execute(lock.encode())
            crowd.stuck(crowd.open(first.dsn(), "victim"), lock, admin)
            line_with(process, f"holds advisory lock {number}")
        (tmp_path / METRICS).parent.mkdir(exist_ok=True)
        (tmp_path / METRICS).write_text("dbvitals_up 1\n")
        first.stop()
        until(lambda: metrics_of(tmp_path) == {"dbvitals_up": 0}, "a stale file")
        with start_postgres(home=home):
            until(lambda: metrics_of(tmp_path)["dbvitals_up"] == 1, "a fresh file")
            assert "db_pool_total_connections" in metrics_of(tmp_path)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert finished(process)[0] == 0
    finally:
        process.kill()
        first.stop()


def test_a_watch_with_json_on_the_screen_shows_json_and_nothing_else(small: PostgresServer, tmp_path: Path) -> None:
    process = command(tmp_path, small.dsn(), "--watch", "--interval", "1s", "--duration", "2s", "--format", "json")
    code, out, _ = finished(process)
    assert code == 0
    assert json.loads(out)["samples"]


def line_with(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if text in line)


def test_a_root_that_came_and_went_between_two_intervals_is_reported(
    small: PostgresServer, crowd: Crowd, tmp_path: Path
) -> None:
    root, victim, admin = (crowd.open(small.dsn(), name) for name in ("root", "victim", "admin"))
    process = command(tmp_path, small.dsn(), "--watch", "--interval", "2s", "--duration", "0")
    wait_for_a_line(process)
    root.execute("select pg_advisory_lock(7)")
    pid = crowd.stuck(victim, "select pg_advisory_lock(7)", admin)
    line = line_with(process, "blocks 1")
    root.execute("select pg_advisory_unlock(7)")
    line_with(process, "open ")
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 0
    report: dict[str, Any] = report_of(tmp_path)
    assert f"pid {root.info.backend_pid}" in line
    assert report["blocking"] == []
    trees = [sighting["tree"] for sighting in report["sightings"] if sighting["tree"]]
    assert [(tree["pid"], [node["pid"] for node in tree["blocks"]]) for tree in trees] == [
        (root.info.backend_pid, [pid])
    ]
