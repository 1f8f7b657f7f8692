"""`dbvitals sandbox` as a person calls it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from dbvitals.cli import main
from dbvitals.sandbox.process import identify

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture(autouse=True)
def taken_down() -> object:
    yield
    for sandbox in _sandboxes_of_state():
        main(["sandbox", "down", "--name", sandbox, "--delete"])


def _state_file(name: str = "default") -> Path:
    return Path(os.environ["XDG_STATE_HOME"], "dbvitals", "sandbox", f"{name}.json")


def _sandboxes_of_state() -> list[str]:
    return [path.stem for path in _state_file().parent.glob("*.json")]


def _status(capture: Capture) -> list[dict[str, object]]:
    capture.readouterr()
    assert main(["sandbox", "status", "--format", "json"]) == 0
    rows: list[dict[str, object]] = json.loads(capture.readouterr().out)
    return rows


def _servers(capture: Capture) -> dict[str, dict[str, object]]:
    (row,) = _status(capture)
    servers = row["servers"]
    assert isinstance(servers, list)
    return {server["kind"]: server for server in servers}


def test_sandbox_outlives_the_command_that_brings_it_up(capsys: Capture) -> None:
    call = [sys.executable, "-c", "import sys; from dbvitals.cli import main; sys.exit(main(['sandbox', 'up']))"]
    done = subprocess.run(
        call, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert "stop: dbvitals sandbox down" in done.stdout
    servers = _servers(capsys)
    assert str(servers["postgres"]["address"]) in done.stdout
    with psycopg.connect(str(servers["postgres"]["address"])) as connection:
        connection.execute("select 1")
    with Redis.from_url(str(servers["redis"]["address"])) as client:
        assert client.ping()


def test_data_stay_after_down_and_go_with_delete(capsys: Capture, folders: Path) -> None:
    home = folders / "with 'quotes' and, commas"
    assert main(["sandbox", "up", "--no-redis", "--home", str(home)]) == 0
    with psycopg.connect(str(_servers(capsys)["postgres"]["address"]), autocommit=True) as connection:
        connection.execute("create database stays")
    assert main(["sandbox", "down"]) == 0
    assert "stopped PostgreSQL\n" in capsys.readouterr().out
    assert _status(capsys)[0]["running"] is False
    assert main(["sandbox", "up", "--no-redis"]) == 0
    address = str(_servers(capsys)["postgres"]["address"])
    psycopg.connect(address.replace("/postgres?", "/stays?")).close()
    short = Path(address.partition("host=")[2].partition("&")[0])
    assert not short.is_relative_to(home), "a comma cannot be in a host"
    assert short.exists()
    assert main(["sandbox", "down", "--delete"]) == 0
    assert not home.exists()
    assert not short.exists()
    assert _status(capsys) == []


def test_delete_leaves_what_is_not_the_sandboxes(folders: Path) -> None:
    home = folders / "mine"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    assert main(["sandbox", "up", "--no-redis", "--home", str(home)]) == 0
    assert main(["sandbox", "down", "--delete"]) == 0
    assert [path.name for path in home.iterdir()] == ["letter.txt"]


def test_up_again_changes_nothing_and_starts_what_is_missing(capsys: Capture) -> None:
    assert main(["sandbox", "up", "--no-redis"]) == 0
    first = _servers(capsys)
    assert main(["sandbox", "up"]) == 0
    second = _servers(capsys)
    assert second["postgres"] == first["postgres"]
    assert second["redis"]["running"] is True
    assert main(["sandbox", "up"]) == 0
    assert _servers(capsys) == second


def test_two_names_are_two_sandboxes(capsys: Capture) -> None:
    assert main(["sandbox", "up", "--name", "a", "--no-redis", "--tcp"]) == 0
    assert main(["sandbox", "up", "--name", "b", "--no-redis"]) == 0
    assert main(["sandbox", "down", "--name", "a"]) == 0
    assert [(row["name"], row["running"]) for row in _status(capsys)] == [("a", False), ("b", True)]


def test_state_is_for_its_owner_alone(folders: Path) -> None:
    assert main(["sandbox", "up", "--tcp", "--no-redis"]) == 0
    assert stat.S_IMODE(_state_file().stat().st_mode) == 0o600
    assert [path.name for path in _state_file().parent.iterdir()] == ["default.json"]


def test_down_never_ends_another_process_of_that_id(capsys: Capture) -> None:
    assert main(["sandbox", "up", "--no-redis"]) == 0
    state = _state_file().read_text()
    assert main(["sandbox", "down"]) == 0
    with subprocess.Popen(["sleep", "60"]) as stranger:
        old = json.loads(state)
        old["servers"][0]["pid"] = stranger.pid
        _state_file().write_text(json.dumps(old))
        assert _status(capsys)[0]["running"] is False
        assert main(["sandbox", "down"]) == 0
        assert identify(stranger.pid) is not None
        stranger.kill()


def test_failing_redis_leaves_no_postgres_behind(capsys: Capture, folders: Path) -> None:
    broken = folders / "redis-server"
    broken.write_text(
        '#!/bin/sh\ncase $1 in --version) echo "Redis server v=7.0.0";; *) echo "no luck"; exit 1;; esac\n'
    )
    broken.chmod(0o755)
    folders.chmod(0o755)
    assert main(["sandbox", "up", "--redis-bin", str(broken)]) == 2
    assert capsys.readouterr().err == "dbvitals: Redis did not start: no luck\n"
    assert _servers(capsys) == {}
    home = folders / "data" / "dbvitals" / "sandbox" / "default" / "postgres"
    assert (home / "data" / "PG_VERSION").exists(), "it did start"
    assert not (home / "data" / "postmaster.pid").exists()
    assert not os.path.lexists(home / "socket")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (["down", "--name", "none"], "no sandbox none"),
        (["up", "--name", "../x"], "is no name for a sandbox"),
        (["up", "--pg-bin", "/nowhere"], "no program postgres in /nowhere"),
        (["up", "--redis-bin", "/nowhere"], "no program at /nowhere"),
    ],
)
def test_wrong_call_is_one_line_and_exit_code_2(capsys: Capture, call: list[str], line: str) -> None:
    assert main(["sandbox", *call]) == 2
    said = capsys.readouterr()
    assert line in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_damaged_state_is_one_line(capsys: Capture) -> None:
    _state_file().parent.mkdir(parents=True)
    _state_file().write_text("{")
    assert main(["sandbox", "status"]) == 2
    assert "cannot read" in capsys.readouterr().err
    _state_file().unlink()
