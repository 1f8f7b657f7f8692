"""`scripts/analyze_redis_cache.py`: the guide's calls, word for word, and what they say of planted faults."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dbvitals import schemas
from dbvitals.sandbox import RedisServer
from tests.acceptance.cache.conftest import FAULTS, SCRIPT, Run, environment

SEVEN = {
    "availability:*": 901,
    "session:*": 312,
    "lock:*": 31,
    "rate_limit:*": 300,
    "circuit_breaker:*": 30,
    "tenant:*": 30,
    "pms_cache:*": 900,
}


def report_in(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(schemas.schema("redis_analysis")).validate(document)
    assert isinstance(document, dict)
    return document


def words(command: str) -> list[str]:
    """The guide's command, without `python scripts/analyze_redis_cache.py`."""
    python, script, *rest = shlex.split(command)
    assert (python, script) == ("python", SCRIPT)
    return rest


def test_basic_usage_takes_its_server_from_dotenv_and_finds_the_planted_faults(
    run: Run, folder: Path, hotel: RedisServer
) -> None:
    names = {"REDIS_HOST": hotel.host, "REDIS_PORT": str(hotel.port), "REDIS_PASSWORD": hotel.password}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    done = run(*words("python scripts/analyze_redis_cache.py"), env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    report = report_in(folder / ".playbook/redis_analysis.json")
    assert {row["pattern"]: row["count"] for row in report["patterns"][:7]} == SEVEN
    found = {finding["rule"]: finding["subject"]["name"] for finding in report["findings"]}
    assert found.keys() == FAULTS.keys()
    assert {rule: found[rule] for rule, pattern in FAULTS.items() if pattern} == {
        rule: pattern for rule, pattern in FAULTS.items() if pattern
    }
    assert report["incomplete"] == []
    for pattern in ("availability:*", "lock:*", "report:<n>:pdf"):
        assert pattern in done.stdout
    assert hotel.password not in done.stdout
    assert "\x1b" not in done.stdout


def test_the_figures_of_the_guide(run: Run, folder: Path) -> None:
    assert run().returncode == 0
    report = report_in(folder / ".playbook/redis_analysis.json")
    summary = report["summary"]
    assert summary["total_keys"] == sum(SEVEN.values()) + 1_502
    assert summary["keys_without_ttl"] == 1 + 12 + 30 + 1_502
    assert summary["evicted_keys"] == 0
    assert summary["hits"] > 0
    rooms = report["patterns"][0]
    assert rooms["description"] == "hotel room availability cache"
    assert 0 < rooms["ttl"]["min"] <= rooms["ttl"]["p50"] <= rooms["ttl"]["p99"] <= rooms["ttl"]["max"] <= 500_000
    assert rooms["memory_bytes"] > 900 * 80
    (queue,) = (row for row in report["patterns"] if row["pattern"] == "queue")
    assert queue["largest_keys"][0]["memory_bytes"] > 3_000_000


def test_custom_connection_reaches_for_the_server_that_is_named(run: Run) -> None:
    command = "python scripts/analyze_redis_cache.py --host redis-prod --port 6379 --password secret"
    done = run(*words(command), env=environment())
    assert done.returncode == 3
    warning, error = done.stderr.splitlines()
    assert "password given on the command line" in warning
    assert "cannot connect to redis-prod:6379" in error
    assert "secret" not in done.stderr


def test_custom_output_location(run: Run, folder: Path) -> None:
    done = run(*words("python scripts/analyze_redis_cache.py --output custom_report.json"))
    assert (done.returncode, done.stderr) == (0, "")
    report_in(folder / "custom_report.json")
    assert not (folder / ".playbook").exists()


def test_help(run: Run) -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("--host", "--port", "--password", "--db", "--output", "--sample", "--rdb", "--print-acl"):
        assert option in done.stdout


def test_without_an_environment_it_says_what_to_type(folder: Path) -> None:
    (folder / ".venv").unlink()
    done = subprocess.run(
        [sys.executable, SCRIPT],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"analyze_redis_cache.py: dbvitals is not installed; type: python3 {folder}/dev.py setup\n"


def test_without_an_environment_it_takes_dbvitals_from_the_path_and_passes_words_as_they_are(folder: Path) -> None:
    (folder / ".venv").unlink()
    program = folder / "bin" / "dbvitals"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    command = [sys.executable, SCRIPT, "--user", "a b", "*"]
    done = subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.stdout == "<cache><--user><a b><*>"


@pytest.mark.parametrize("form", ["table", "json", "markdown", "html"])
def test_every_format_is_shown_and_the_file_is_json_all_the_same(run: Run, folder: Path, form: str) -> None:
    done = run("--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    beginning = {"table": "Cache of", "json": "{\n", "markdown": "# Cache of", "html": "<!doctype html>"}[form]
    assert done.stdout.lstrip().startswith(beginning)
    report_in(folder / ".playbook/redis_analysis.json")
