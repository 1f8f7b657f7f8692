"""`dbvitals cache` again and again: what it reads itself does not make the clients' hit ratio any better."""

from pathlib import Path
from typing import Any

import redis

from dbvitals.sandbox import RedisServer
from tests.acceptance.cache.conftest import Run
from tests.acceptance.cache.test_guide import report_in

HERE = ".playbook/redis_analysis.json"
READS = 2_000


def read(server: RedisServer) -> None:
    """Clients find three in ten of what they look for."""
    with redis.Redis.from_url(server.url) as client:
        client.config_resetstat()
        pipeline = client.pipeline(transaction=False)
        for number in range(READS):
            pipeline.get("tenant:1" if number % 10 < 3 else f"rate_limit:absent{number}")
        pipeline.execute()


def ratio_in(path: Path) -> tuple[Any, set[str]]:
    report = report_in(path)
    return report["summary"]["hit_ratio"], {finding["rule"] for finding in report["findings"]}


def test_the_ratio_and_its_finding_stay(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    read(hotel)
    for _ in range(3):
        done = call()
        assert done.returncode == 0
        ratio, rules = ratio_in(tmp_path / HERE)
        assert (ratio, "RED001" in rules) == (0.3, True)
    assert f"30.0 % (28.0 to 32.0) of {READS:,} reads" in done.stdout
    assert "of our own" in done.stdout


def test_every_way_of_looking_is_remembered(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    read(hotel)
    for options in (("--never-read",), ("--sample", "500"), ("--fast",), ("--all-dbs",), ("--window", "300ms"), ()):
        assert call(*options).returncode == 0
    assert ratio_in(tmp_path / HERE)[0] == 0.3


def test_other_looks_of_which_no_file_tells_leave_no_ratio_until_it_is_named(
    call: Run, hotel: RedisServer, tmp_path: Path
) -> None:
    read(hotel)
    assert call("--output", "elsewhere.json", "--never-read").returncode == 0
    done = call("--output", "here.json", "--strict")
    assert done.returncode == 4
    assert "not known since the server's start" in done.stdout
    assert ratio_in(tmp_path / "here.json")[0] is None
    assert call("--output", "here.json", "--diff", "elsewhere.json").returncode == 0
    assert ratio_in(tmp_path / "here.json")[0] == 0.3


def test_plain_runs_that_know_nothing_of_each_other_are_told_from_clients(
    call: Run, hotel: RedisServer, tmp_path: Path
) -> None:
    read(hotel)
    for place in ("a.json", "b.json", "c.json"):
        assert call("--output", place).returncode == 0
        ratio, rules = ratio_in(tmp_path / place)
        assert (ratio, "RED001" in rules) == (0.3, True)


def test_a_report_in_the_usual_place_is_known_to_one_that_goes_elsewhere(
    call: Run, hotel: RedisServer, tmp_path: Path
) -> None:
    read(hotel)
    assert call().returncode == 0
    assert call("--output", "custom_report.json").returncode == 0
    assert ratio_in(tmp_path / "custom_report.json")[0] == 0.3


def test_a_saved_snapshot_remembers_as_well(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    read(hotel)
    for _ in range(2):
        assert call("--output", "-", "--save", "seen.json").returncode == 0
    assert call("--output", "report.json", "--save", "seen.json").returncode == 0
    assert ratio_in(tmp_path / "report.json")[0] == 0.3


def test_what_stands_where_the_report_goes_may_be_anything(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    read(hotel)
    (tmp_path / "report.json").write_text("[]")
    assert call("--output", "report.json").returncode == 0
    assert ratio_in(tmp_path / "report.json")[0] == 0.3


def test_a_pass_that_was_cut_short_is_no_all_clear(call: Run) -> None:
    assert call().returncode == 0
    done = call("--diff", HERE, "--max-seconds", "1ms")
    assert "the new report is partial" in done.stdout
    assert "Findings that are gone" not in done.stdout
    assert "Patterns that changed" not in done.stdout


def test_another_database_is_not_compared_in_silence(call: Run) -> None:
    assert call().returncode == 0
    done = call("--diff", HERE, "--db", "5")
    assert "the older report is of database 0, the new one of 5" in done.stdout
    assert "Findings that are gone" not in done.stdout
