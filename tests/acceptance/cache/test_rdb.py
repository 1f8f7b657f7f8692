"""`dbvitals cache --rdb`: the report from a dump, what is no dump, and `--calibrate` on the server that wrote it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import environment, start, started, wait_for_line
from tests.acceptance.cache.test_command import HERE, at
from tests.acceptance.cache.test_guide import report_in
from tests.acceptance.cli.lines import the_line
from tests.acceptance.cli.test_reports import without_the_rights_of_root
from tests.acceptance.cli.test_servers import closed_port
from tests.integration.cache.ground import client_of, run

HEADER = b"REDIS0011"
END = b"\xff" + bytes(8)


def dump_of(keys: int) -> bytes:
    """A dump of strings, written by hand: `room:0000001` and so on; its checksum is switched off."""
    names = (b"room:%07d" % number for number in range(keys))
    return HEADER + b"\xfe\x00" + b"".join(b"\x00\x0c" + name + b"\x04free" for name in names) + END


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with start_redis() as server, client_of(server) as client:
        client.mset({f"room:{number}": "x" * (number % 90) for number in range(700)})
        client_of(server, db=3).mset({f"guest:{number}": "x" for number in range(20)})
        client.save()
        yield server


@pytest.fixture
def dump(server: RedisServer, tmp_path: Path) -> Path:
    """The dump that the server has written."""
    with client_of(server, decode_responses=True) as client:
        written = Path(client.config_get("dir")["dir"], client.config_get("dbfilename")["dbfilename"])
    (tmp_path / "seen.rdb").write_bytes(written.read_bytes())
    return tmp_path / "seen.rdb"


def cache(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return start(["-m", "dbvitals", "cache", *arguments], folder, env or environment())


def counts(folder: Path) -> dict[str, int]:
    return {row["pattern"]: row["count"] for row in report_in(folder / HERE)["patterns"]}


def parts(folder: Path) -> list[str]:
    return [one["part"] for one in report_in(folder / HERE)["incomplete"]]


def test_a_dump_is_read_without_a_server(dump: Path, tmp_path: Path) -> None:
    done = cache(tmp_path, "--rdb", "seen.rdb", env=at(closed_port()))
    assert (done.returncode, done.stderr) == (0, "")
    assert counts(tmp_path) == {"room:<n>": 700, "guest:<n>": 20}
    assert parts(tmp_path) == ["hit ratio, evictions, limits", "measured bytes"]


def test_of_a_dump_one_database_may_be_asked_for(dump: Path, tmp_path: Path) -> None:
    assert cache(tmp_path, "--rdb", "seen.rdb", "--db", "3").returncode == 0
    assert counts(tmp_path) == {"guest:<n>": 20}


def test_calibrated_its_sizes_are_those_of_the_server(dump: Path, tmp_path: Path, server: RedisServer) -> None:
    done = cache(tmp_path, "--rdb", "seen.rdb", "--calibrate", env=environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert parts(tmp_path) == ["hit ratio, evictions, limits"]
    (rooms,) = [row for row in report_in(tmp_path / HERE)["patterns"] if row["pattern"] == "room:<n>"]
    with client_of(server) as client:
        stated = sum(client.memory_usage(f"room:{number}") or 0 for number in range(700))
    assert rooms["memory_bytes"] == pytest.approx(stated, rel=0.02)


def test_a_server_to_calibrate_by_that_is_not_there(dump: Path, tmp_path: Path) -> None:
    line = the_line(cache(tmp_path, "--rdb", "seen.rdb", "--calibrate", env=at(closed_port())), 3)
    assert line.startswith("cannot connect to 127.0.0.1:")


def test_a_server_to_calibrate_by_that_wants_another_password(dump: Path, tmp_path: Path, server: RedisServer) -> None:
    env = environment(server) | {"REDIS_PASSWORD": "wr0ng"}
    line = the_line(cache(tmp_path, "--rdb", "seen.rdb", "--calibrate", env=env), 3)
    assert "WRONGPASS" in line
    assert "wr0ng" not in line


def test_a_server_to_calibrate_by_that_denies_memory_usage(dump: Path, tmp_path: Path, server: RedisServer) -> None:
    with client_of(server) as client:
        run(client, "ACL", "SETUSER", "limited", "reset", "on", ">pw", "~*", "+@all", "-memory")
    env = environment(server) | {"REDIS_USERNAME": "limited", "REDIS_PASSWORD": "pw"}
    assert "+memory|usage" in the_line(cache(tmp_path, "--rdb", "seen.rdb", "--calibrate", env=env), 3)


def test_a_server_to_calibrate_by_that_has_other_keys(dump: Path, tmp_path: Path) -> None:
    with start_redis() as empty:
        line = the_line(cache(tmp_path, "--rdb", "seen.rdb", "--calibrate", env=environment(empty)), 2)
    assert line.startswith("--calibrate found 0 of ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, world\n", "is no dump of Redis or Valkey"),
        (b"REDIS", "is no dump of Redis or Valkey"),
        (b"REDIS0099" + END, "has version 99 of the dump's format: 7 to 13 and Valkey's 80 can be read"),
        (b"REDIS0003" + END, "has version 3 of the dump's format"),
        (dump_of(50)[:300], "is cut off"),
        (dump_of(50)[: len(HEADER) + 1], "is cut off"),
    ],
    ids=["empty", "text", "short", "too new", "too old", "cut off", "cut off early"],
)
def test_what_is_no_dump_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "odd.rdb").write_bytes(content)
    line = the_line(cache(tmp_path, "--rdb", "odd.rdb"), 2)
    assert line.startswith(f"odd.rdb {says}")
    assert not (tmp_path / HERE).exists()


def test_a_folder_a_pipe_and_what_is_not_there_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    says = {
        "folder": "folder cannot be read: Is a directory",
        "pipe": "pipe is a pipe, and a dump is read in several places: write it to a file",
        "absent": "absent cannot be read: No such file or directory",
    }
    assert {name: the_line(cache(tmp_path, "--rdb", name), 2) for name in says} == says


def test_a_dump_that_may_not_be_read_is_one_line(dump: Path, tmp_path: Path) -> None:
    dump.chmod(0)
    command = [*without_the_rights_of_root(), sys.executable, "-m", "dbvitals", "cache", "--rdb", "seen.rdb"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert "'seen.rdb' is not readable" in the_line(done, 2)


def test_ctrl_c_within_a_dump_writes_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "large.rdb").write_bytes(dump_of(600_000))
    with started(["--rdb", "large.rdb"], tmp_path, environment()) as process:
        for _ in range(2):  # the first is said before anything was read
            wait_for_line(process, "reading the dump")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "interrupted" in parts(tmp_path)
    assert 0 < report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] < 600_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--calibrate",), "--calibrate is for the sizes of a dump"),
        (("--from", "seen.json", "--calibrate"), "--calibrate is for the sizes of a dump"),
        (("--rdb", "seen.rdb", "--from", "seen.json"), "--rdb does not go with --from"),
        (("--rdb", "seen.rdb", "--keymiss", "1s"), "--keymiss does not go with --rdb"),
        (("--rdb", "seen.rdb", "--never-read"), "--never-read does not go with --rdb"),
        (("--rdb", "seen.rdb", "--master", "hotel"), "--master does not go with --rdb"),
        (("--rdb", "seen.rdb", "--all-dbs", "--db", "3"), "--db does not go with --all-dbs"),
        (("--all-dbs", "--db", "0"), "--db does not go with --all-dbs"),
        (("--from", "seen.json", "--db", "3"), "--db does not go with --from"),
        (("--from", "seen.json", "--never-read"), "--never-read does not go with --rdb or --from"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_excludes_each_other_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    line = the_line(cache(tmp_path, *arguments), 2)
    assert line.startswith(says)


def test_since_a_dump_no_hits_can_be_counted(dump: Path, tmp_path: Path, server: RedisServer) -> None:
    assert cache(tmp_path, "--rdb", "seen.rdb", "--save", "seen.json").returncode == 0
    line = the_line(cache(tmp_path, "--since", "seen.json", env=environment(server)), 2)
    assert line == "seen.json holds no hits and misses: it is of a dump: give one that is of a server"


def test_since_a_run_that_was_stopped_it_is_said_so(tmp_path: Path, server: RedisServer) -> None:
    """As it is when the server, or Ctrl-C, ended it before its last look at the counters."""
    assert cache(tmp_path, "--save", "seen.json", env=environment(server)).returncode == 0
    without_end(tmp_path / "seen.json")
    done = cache(tmp_path, "--since", "seen.json", "--save", "seen.json", env=environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Hit ratio  not known since the saved snapshot" in done.stdout
    report = report_in(tmp_path / HERE)
    why = f"{server.host}:{server.port}: the run that wrote the --since file was stopped before it counted hits and"
    assert [one["part"] for one in report["incomplete"] if one["why"].startswith(why)] == ["hits and misses of a node"]
    assert (report["summary"]["hit_ratio"], report["summary"]["hits"]) == (None, 0)
    assert cache(tmp_path, "--since", "seen.json", env=environment(server)).returncode == 0
    assert parts(tmp_path) == []


def without_end(path: Path) -> None:
    document: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(document | {"after": []}))
