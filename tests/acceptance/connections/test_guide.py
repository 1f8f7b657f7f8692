"""`scripts/monitor_connections.py`: the guide's calls, word for word, and what they write."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from dbvitals import schemas
from dbvitals.sandbox import PostgresServer
from tests.acceptance.connections.conftest import ROOT, Monitor
from tests.integration.connections.crowd import Crowd

REPORT = ".playbook/connection_pool_report.json"
METRICS = ".playbook/connection_pool_metrics.prom"

GUIDE = {
    "db_pool_active_connections",
    "db_pool_idle_connections",
    "db_pool_total_connections",
    "db_pool_utilization_percent",
    "db_pool_overflow",
    "db_pool_long_running_queries",
    "db_pool_idle_in_transaction",
    "db_pool_size_configured",
    "db_pool_max_overflow_configured",
}


def report_of(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / REPORT).read_bytes(), parse_constant=refuse)
    jsonschema.Draft202012Validator(schemas.schema("connection_pool_report")).validate(document)
    assert isinstance(document, dict)
    return document


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def metrics_of(folder: Path) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"^(\w+) (\S+)$", (folder / METRICS).read_text(), flags=re.MULTILINE)
    }


def test_a_single_analysis(monitor: Monitor, tmp_path: Path) -> None:
    done = monitor()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Connections of postgres\n")
    assert "\x1b" not in done.stdout
    summary = report_of(tmp_path)["summary"]
    assert (summary["pool_size_configured"], summary["max_overflow_configured"]) == (10, 20)
    assert not (tmp_path / METRICS).exists()


def test_custom_pool_settings(monitor: Monitor, tmp_path: Path) -> None:
    assert monitor("--pool-size", "20", "--max-overflow", "40").returncode == 0
    assert report_of(tmp_path)["summary"]["pool_capacity"] == 60


def test_a_threshold_and_metrics(monitor: Monitor, tmp_path: Path) -> None:
    done = monitor("--threshold", "80", "--prometheus")
    assert (done.returncode, done.stderr) == (0, "")
    assert metrics_of(tmp_path).keys() >= GUIDE


def test_custom_credentials(monitor: Monitor, here: dict[str, str], tmp_path: Path) -> None:
    password = here["POSTGRES_PASSWORD"]
    done = monitor(
        "--host", here["POSTGRES_HOST"], "--user", "postgres", "--password", password, "--database", "postgres",
        POSTGRES_PASSWORD="",
    )  # fmt: skip
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert password not in done.stdout + done.stderr + (tmp_path / REPORT).read_text()


def test_continuous_monitoring(monitor: Monitor, tmp_path: Path) -> None:
    """The guide's `--watch` takes a minute; the same in four seconds."""
    done = monitor("--watch", "--interval", "1s", "--duration", "4s", "--prometheus")
    assert (done.returncode, done.stderr) == (0, "")
    report = report_of(tmp_path)
    assert 3 <= len(report["samples"]) <= 5
    assert sum(sample["probes"] for sample in report["samples"]) == report["watched"]["probes"]
    assert report["watched"]["server_core_percent"] is not None
    assert metrics_of(tmp_path)["dbvitals_up"] == 1


def test_the_defaults_of_watch_are_the_guides(monitor: Monitor) -> None:
    text = " ".join(monitor("--help").stdout.split())
    assert re.search(r"--interval TIME Between two rows of --watch\. \[default: 10s\]", text)
    assert re.search(r"--duration TIME Of --watch; 0 is until stopped\. \[default: 60s\]", text)


@pytest.mark.parametrize(("threshold", "code"), [("30", 0), ("29.9", 1)])
def test_trap_50_a_threshold_is_crossed_above_it_and_not_on_it(
    monitor: Monitor,
    server: PostgresServer,
    crowd: Crowd,
    threshold: str,
    code: int,
) -> None:
    for _ in range(3):
        crowd.open(server.dsn())
    done = monitor("--pool-size", "10", "--max-overflow", "0", "--threshold", threshold)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == code
    assert ("ALERT: pool utilisation 30 % is above the threshold of 29.9 %" in done.stderr) == bool(code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fail-on", "medium"), 1),
        (("--strict",), 1),
        (("--strict", "--app", "http://127.0.0.1:1"), 4),
        (("--strict", "--app", "http://127.0.0.1:1", "--fail-on", "medium"), 4),
    ],
)
def test_the_alert_is_told_whatever_else_the_exit_code_says(
    monitor: Monitor, server: PostgresServer, crowd: Crowd, options: tuple[str, ...], code: int
) -> None:
    for _ in range(3):
        crowd.open(server.dsn())
    done = monitor("--pool-size", "3", "--max-overflow", "0", "--threshold", "80", *options)
    assert done.returncode == code
    assert done.stderr.count("ALERT: pool utilisation 100 %") == 1


@pytest.mark.parametrize(("name", "missing"), [("hotel", []), ("hotle", ["sessions of the pool"])])
def test_a_name_that_fits_no_session_is_a_missing_part(
    monitor: Monitor, server: PostgresServer, crowd: Crowd, tmp_path: Path, name: str, missing: list[str]
) -> None:
    crowd.open(server.dsn(), "hotel")
    assert monitor("--application", name).returncode == 0
    parts = report_of(tmp_path)["incomplete"]
    assert [part["part"] for part in parts] == missing
    assert all("--application hotle" in part["why"] for part in parts)


def test_trap_46_every_metric_has_help_and_type_before_it_and_the_file_ends_well(
    monitor: Monitor, tmp_path: Path
) -> None:
    monitor("--prometheus")
    text = (tmp_path / METRICS).read_text()
    names = re.findall(r"^(\w+) \S+$", text, flags=re.MULTILINE)
    assert len(names) == len(set(names))
    assert text == "".join(
        f"# HELP {name} {help_of(text, name)}\n# TYPE {name} gauge\n{name} {value}\n"
        for name, value in metrics_lines(text)
    )


def help_of(text: str, name: str) -> str:
    found = re.search(rf"^# HELP {name} (.+)$", text, flags=re.MULTILINE)
    assert found is not None
    return found[1]


def metrics_lines(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^([a-z]\w+) (\S+)$", text, flags=re.MULTILINE)


def test_promtool_finds_nothing_to_mend(monitor: Monitor, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine (Debian: prometheus)")
    monitor("--prometheus")
    text = (tmp_path / METRICS).read_text()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_trap_47_a_failed_run_leaves_no_healthy_figures_and_keeps_the_last_success(
    monitor: Monitor, tmp_path: Path
) -> None:
    monitor("--prometheus")
    before = metrics_of(tmp_path)
    done = monitor("--prometheus", "--port", "1")
    assert done.returncode == 3
    assert metrics_of(tmp_path) == {
        "dbvitals_up": 0,
        "dbvitals_last_success_timestamp_seconds": before["dbvitals_last_success_timestamp_seconds"],
    }


def test_traps_32_33_a_pool_without_limit_has_no_utilisation(monitor: Monitor, tmp_path: Path) -> None:
    for sizes in (("--pool-size", "0"), ("--max-overflow", "-1")):
        done = monitor(*sizes, "--prometheus", "--threshold", "1")
        assert done.returncode == 0
        assert done.stderr == "dbvitals: the pool has no limit: --threshold cannot be judged\n"
        assert [part["part"] for part in report_of(tmp_path)["incomplete"]] == ["--threshold"]
        summary = report_of(tmp_path)["summary"]
        assert (summary["pool_capacity"], summary["pool_utilization_percent"]) == (None, None)
        assert "db_pool_utilization_percent" not in metrics_of(tmp_path)
        assert "without limit" in done.stdout


@pytest.mark.parametrize("value", ["-2", "x", "100001"])
def test_a_pool_that_makes_no_sense_is_one_line(monitor: Monitor, value: str) -> None:
    done = monitor("--max-overflow", value)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_sizes_come_from_the_environment_and_from_dotenv(monitor: Monitor, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POSTGRES_POOL_SIZE=7\nPOSTGRES_MAX_OVERFLOW=8\n")
    assert monitor(POSTGRES_MAX_OVERFLOW="3").returncode == 0
    summary = report_of(tmp_path)["summary"]
    assert (summary["pool_size_configured"], summary["max_overflow_configured"]) == (7, 3)


@pytest.mark.parametrize(("form", "beginning"), [("json", "{\n"), ("markdown", "# Con"), ("html", "<!doctype")])
def test_every_format(monitor: Monitor, form: str, beginning: str) -> None:
    done = monitor("--format", form)
    assert done.stdout.lstrip().startswith(beginning)


def test_fail_on_and_strict(monitor: Monitor, server: PostgresServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("create role looker login password 'x'")
        try:
            done = monitor("--user", "looker", "--strict", POSTGRES_PASSWORD="x")
        finally:
            admin.execute("drop role looker")
    assert done.returncode == 4
    assert "GRANT pg_monitor TO looker;" in done.stdout
    assert monitor("--max-overflow", "-1", "--fail-on", "info").returncode == 1


def test_without_an_environment_one_line_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/monitor_connections.py", tmp_path / "scripts")
    command = [sys.executable, str(tmp_path / "scripts/monitor_connections.py")]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"monitor_connections.py: dbvitals is not installed; type: python3 {tmp_path / 'dev.py'} setup\n"
    )
