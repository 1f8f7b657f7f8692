"""`dbvitals cache` behind a Sentinel: `--master`, a login that it wants, and the additions on its primary."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import Run, environment, start
from tests.acceptance.cache.test_command import HERE
from tests.acceptance.cache.test_guide import report_in
from tests.acceptance.cli.lines import the_line
from tests.integration.cache.ground import client_of, run
from tests.integration.cache.test_topologies import Pair, sentinel_of


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """It watches one server, under two names."""
    with start_redis() as primary:
        with client_of(primary) as client:
            client.mset({f"room:{number}": "x" for number in range(50)})
        pair = Pair(primary, primary)
        with sentinel_of(pair, tmp_path_factory.mktemp("sentinel")) as sentinel, client_of(sentinel) as client:
            run(client, "SENTINEL", "MONITOR", "motel", primary.host, primary.port, 1)
            run(client, "SENTINEL", "SET", "motel", "auth-pass", primary.password)
            yield sentinel


@pytest.fixture
def behind(tmp_path: Path, sentinel: RedisServer) -> Run:
    """Run the command on the sentinel."""

    def call(*arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return start(["-m", "dbvitals", "cache", *arguments], tmp_path, environment(sentinel) | changes)

    return call


def test_the_named_primary_is_read_and_listened_to(behind: Run, tmp_path: Path) -> None:
    done = behind("--master", "hotel", "--never-read", "--keymiss", "300ms", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    report = report_in(tmp_path / HERE)
    assert report["summary"]["total_keys"] == 50
    assert report["incomplete"] == []


def test_of_several_one_has_to_be_named(behind: Run) -> None:
    assert the_line(behind(), 2).endswith("watches 2 primaries: name one with --master: hotel, motel")


@pytest.mark.parametrize("name", ["hostel", "ho\x1b[31mtel", "hotel\n", "😀" * 15])
def test_a_name_that_it_does_not_know(behind: Run, name: str) -> None:
    line = the_line(behind("--master", name), 2)
    assert "\x1b" not in line
    assert line.endswith("hotel, motel")


def test_a_server_that_is_no_sentinel_has_no_names(tmp_path: Path, hotel: RedisServer) -> None:
    line = the_line(start(["-m", "dbvitals", "cache", "--master", "hotel"], tmp_path, environment(hotel)), 2)
    assert "is no sentinel" in line
    assert not (tmp_path / HERE).exists()


def test_a_name_that_is_empty_is_no_name(behind: Run) -> None:
    """As it is where a variable of a script is not set."""
    assert the_line(behind("--master", ""), 2) == "--master is empty: give it the name that the Sentinel knows"


@pytest.mark.parametrize(("password", "says"), [("", "NOAUTH"), ("wr0ng", "WRONGPASS")])
def test_a_sentinel_that_wants_a_login(behind: Run, password: str, says: str) -> None:
    line = the_line(behind("--master", "hotel", REDIS_PASSWORD=password), 3)
    assert says in line
    assert "password" in line
    assert "wr0ng" not in line
