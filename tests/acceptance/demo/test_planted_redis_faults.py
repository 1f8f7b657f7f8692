"""The guide's calls on the demo's Redis: every planted fault is found, nothing else, and no guest is named."""

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis

from dbvitals import schemas
from demo.found import findings_in
from demo.redis_faults import REDIS_FAULTS, SERVER, plant_in_redis
from demo.redis_planting import LEAKED, PHOTOS
from demo.servers import Servers
from tests.acceptance.cli.conftest import ROOT, bare_environment
from tests.acceptance.demo.conftest import SEED

SCRIPT = "scripts/analyze_redis_cache.py"

PASSING = ("asked_in_vain", "forgotten_too_soon", "stampede", "full")
"""Faults that are gone in minutes, or less with each run of the analysis: planted anew for every test."""

EXPECTED = {fault.finding for fault in REDIS_FAULTS}

COLD = ("RED001", SERVER)
"""What may be found where nothing was planted: a day of 1,200 operations hardly warms a cache for 60 hotels."""

NO_LIMIT = "RED019"
"""And that the demo's Redis has no limit of memory, until that of a fault."""

Done = subprocess.CompletedProcess[str]


def environment(servers: Servers) -> dict[str, str]:
    bare = {name: value for name, value in bare_environment().items() if not name.startswith("REDIS_")}
    where = {"REDIS_HOST": servers.redis.host, "REDIS_PORT": str(servers.redis.port)}
    return bare | where | {"REDIS_PASSWORD": servers.redis.password}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with the hotel's declarations, and the project's environment."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / SCRIPT).write_bytes((ROOT / SCRIPT).read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.fixture
def hotel(faulty: Servers) -> Servers:
    passing = [fault for fault in REDIS_FAULTS if fault.id in PASSING]
    plant_in_redis(faulty.redis.url, passing, SEED, lambda _: None)
    return faulty


def call(command: str, folder: Path, env: dict[str, str]) -> Done:
    """Type the guide's command in the checkout."""
    python, *rest = shlex.split(command)
    assert python == "python"
    return subprocess.run(
        [sys.executable, *rest], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def report_in(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(schemas.schema("redis_analysis")).validate(document)
    return document


def private_parts(servers: Servers) -> set[str]:
    """Whatever in the names of keys is a guest's, a conversation's or a hotel's alone."""
    with redis.Redis.from_url(servers.redis.url, decode_responses=True) as client:
        parts = {part for key in client.scan_iter(count=1_000) for part in re.split("[:/]", str(key))}
    return {part for part in parts if re.search(r"@|^\+|[0-9a-f-]{30,}", part)}


def test_every_planted_fault_is_found_and_nothing_else(hotel: Servers, folder: Path) -> None:
    done = call("python scripts/analyze_redis_cache.py", folder, environment(hotel))
    assert (done.returncode, done.stderr) == (0, "")
    path = folder / ".playbook" / "redis_analysis.json"
    report = report_in(path)
    assert findings_in(path) == EXPECTED
    assert len(report["findings"]) == len(REDIS_FAULTS)
    assert report["incomplete"] == []
    rows = {row["pattern"]: row for row in report["patterns"]}
    assert rows["lock:*"]["no_ttl"] == 1
    assert rows["session:*"]["no_ttl"] == LEAKED + PHOTOS
    assert rows["guest:<email>:preferences"]["count"] == rows["whatsapp:<phone>:last_message"]["count"] == 1_200
    for fault in REDIS_FAULTS:
        assert fault.rule in done.stdout


def test_the_severities_are_those_of_the_harm(hotel: Servers, folder: Path) -> None:
    call("python scripts/analyze_redis_cache.py", folder, environment(hotel))
    report = report_in(folder / ".playbook" / "redis_analysis.json")
    by_severity: dict[str, set[str]] = {}
    for finding in report["findings"]:
        by_severity.setdefault(finding["severity"], set()).add(finding["rule"])
    assert by_severity == {
        "critical": {"RED006"},
        "high": {"RED001", "RED002", "RED008", "RED018"},
        "medium": {"RED004", "RED005", "RED009", "RED012", "RED015", "RED020"},
        "info": {"RED011", "RED014"},
    }


CUSTOM_CONNECTION = "python scripts/analyze_redis_cache.py --host redis-prod --port 6379 --password secret"


def test_custom_connection_reaches_for_the_server_that_is_named_and_no_other(faulty: Servers, folder: Path) -> None:
    done = call(CUSTOM_CONNECTION, folder, environment(faulty))
    assert done.returncode == 3
    assert "cannot connect to redis-prod:6379" in done.stderr


def test_custom_connection_with_the_demos_own_values_finds_the_same(hotel: Servers, folder: Path) -> None:
    address = CUSTOM_CONNECTION.replace("redis-prod", hotel.redis.host).replace("6379", str(hotel.redis.port))
    done = call(address.replace("secret", hotel.redis.password), folder, bare_environment())
    assert done.returncode == 0
    assert "password given on the command line" in done.stderr
    assert hotel.redis.password not in done.stdout + done.stderr
    assert findings_in(folder / ".playbook" / "redis_analysis.json") == EXPECTED


def test_custom_output_location(hotel: Servers, folder: Path) -> None:
    done = call("python scripts/analyze_redis_cache.py --output custom_report.json", folder, environment(hotel))
    assert (done.returncode, done.stderr) == (0, "")
    report_in(folder / "custom_report.json")
    assert findings_in(folder / "custom_report.json") == EXPECTED
    assert not (folder / ".playbook").exists()


def test_a_lock_for_ever_fails_a_pipeline_that_asks_for_it(hotel: Servers, folder: Path) -> None:
    done = call("python scripts/analyze_redis_cache.py --fail-on critical", folder, environment(hotel))
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("form", ["table", "json", "markdown", "html"])
def test_no_report_names_a_guest(hotel: Servers, folder: Path, form: str) -> None:
    private = private_parts(hotel)
    assert sum("@" in part for part in private) == sum(part.startswith("+") for part in private) == 1_200
    command = f"python scripts/analyze_redis_cache.py --format {form} --save seen.json --all-dbs"
    done = call(command, folder, environment(hotel))
    assert (done.returncode, done.stderr) == (0, "")
    reports = (folder / ".playbook" / "redis_analysis.json", folder / "seen.json")
    for text in (done.stdout, *(path.read_text() for path in reports)):
        assert "example.com" not in text
        assert [part for part in private if part in text] == []


def test_the_tenants_are_the_hotels_whose_guests_wrote(clean: Servers, folder: Path) -> None:
    call("python scripts/analyze_redis_cache.py", folder, environment(clean))
    report = report_in(folder / ".playbook" / "redis_analysis.json")
    with redis.Redis.from_url(clean.redis.url, decode_responses=True) as client:
        hotels = Counter(str(key).split(":")[1] for key in client.scan_iter("session:*", count=1_000))
    assert len(hotels) > 20
    assert sorted(tenant["keys"] for tenant in report["tenants"]) == sorted(hotels.values())


def test_without_faults_nothing_is_found_but_that_the_cache_is_cold(clean: Servers, folder: Path) -> None:
    done = call("python scripts/analyze_redis_cache.py --fail-on high", folder, environment(clean))
    assert (done.returncode, done.stderr) == (0, "")
    report = report_in(folder / ".playbook" / "redis_analysis.json")
    found = {finding["rule"] for finding in report["findings"]}
    assert found - {COLD[0]} == {NO_LIMIT}
    assert report["summary"]["keys_without_ttl"] == report["summary"]["evicted_keys"] == 0
    assert report["incomplete"] == []
