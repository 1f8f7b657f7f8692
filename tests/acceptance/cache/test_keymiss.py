"""`dbvitals cache --keymiss`: who allows it, what is said where it may not be, and that the setting is put back."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import environment, start, started
from tests.acceptance.cache.test_command import HERE
from tests.acceptance.cache.test_guide import report_in
from tests.integration.cache.ground import client_of, run, until

SETTING = "notify-keyspace-events"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def silent() -> Iterator[RedisServer]:
    """A server that tells of no misses."""
    with start_redis() as server:
        yield server


@pytest.fixture
def client(silent: RedisServer) -> Iterator[redis.Redis]:
    with client_of(silent, decode_responses=True) as client:
        client.config_set(SETTING, "")
        client.config_resetstat()  # the run of another test is none of this one's
        client.mset({f"room:{number}": "x" for number in range(50)})
        yield client


def setting(client: redis.Redis) -> set[str]:
    return set(str(client.config_get(SETTING)[SETTING]))


def cache(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dbvitals", "cache", "--verbose", *arguments]


@contextlib.contextmanager
def listening(
    folder: Path, server: RedisServer, client: redis.Redis, time: str = "10min"
) -> Iterator["subprocess.Popen[str]"]:
    """The command, when it has begun to listen."""
    with started(["--keymiss", time, "--yes"], folder, environment(server)) as process:
        until(lambda: client.pubsub_numpat() > 0)
        yield process


def answered(folder: Path, server: RedisServer, answer: bytes) -> "subprocess.CompletedProcess[str]":
    """The command at a terminal where somebody types an answer."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        return subprocess.run(
            cache("--keymiss", "300ms"),
            cwd=folder,
            env=environment(server),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_the_setting_is_put_back_however_the_command_ends(
    tmp_path: Path, silent: RedisServer, client: redis.Redis, ending: signal.Signals
) -> None:
    client.config_set(SETTING, "Kx")
    with listening(tmp_path, silent, client) as process:
        assert setting(client) == set("KxEm")
        process.send_signal(ending)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == (130 if ending == signal.SIGINT else -ending)
    until(lambda: setting(client) == set("Kx"))


def test_misses_are_counted_by_pattern_and_the_setting_is_put_back(
    tmp_path: Path, silent: RedisServer, client: redis.Redis
) -> None:
    with listening(tmp_path, silent, client, "5s") as process:
        for number in range(40):
            client.get(f"guest:{number}")
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    report = report_in(tmp_path / HERE)
    assert {row["pattern"]: row["misses"] for row in report["patterns"]} == {"guest:<n>": 40, "room:<n>": None}
    assert report["incomplete"] == []
    assert setting(client) == set()


def test_what_was_heard_before_ctrl_c_is_in_the_report(
    tmp_path: Path, silent: RedisServer, client: redis.Redis
) -> None:
    with listening(tmp_path, silent, client) as process:
        client.get("guest:1")
        before = rounds(client)
        until(lambda: rounds(client) >= before + 3)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, error
    report = report_in(tmp_path / HERE)
    assert [row["misses"] for row in report["patterns"] if row["pattern"] == "guest:<n>"] == [1]
    assert [one["part"] for one in report["incomplete"]] == ["interrupted"]


def rounds(client: redis.Redis) -> int:
    """How often the listener has looked at what had come: it says PING then."""
    return int(client.info("commandstats")["cmdstat_ping"]["calls"])


def test_without_a_terminal_it_says_what_to_type(tmp_path: Path, silent: RedisServer, client: redis.Redis) -> None:
    done = subprocess.run(
        cache("--keymiss", "10min", "--strict"),
        cwd=tmp_path,
        env=environment(silent),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    (missing,) = report_in(tmp_path / HERE)["incomplete"]
    assert missing == {
        "part": f"misses on {silent.host}:{silent.port}",
        "why": f"nobody could be asked whether {SETTING} may be changed: there is no terminal",
        "mend": f"give --yes, or set it beforehand: CONFIG SET {SETTING} Emx",
    }
    assert setting(client) == set()


def test_who_says_no_is_told_how_to_have_it(tmp_path: Path, silent: RedisServer, client: redis.Redis) -> None:
    done = answered(tmp_path, silent, b"n\n")
    assert done.returncode == 0, done.stderr
    report = report_in(tmp_path / HERE)
    (missing,) = report["incomplete"]
    assert missing["why"] == f"you said no to a change of {SETTING}"
    assert missing["mend"].endswith(f"CONFIG SET {SETTING} Emx")
    assert report["summary"]["total_keys"] == 50
    assert setting(client) == set()


def test_who_says_yes_is_heard(tmp_path: Path, silent: RedisServer, client: redis.Redis) -> None:
    done = answered(tmp_path, silent, b"y\n")
    assert done.returncode == 0, done.stderr
    assert report_in(tmp_path / HERE)["incomplete"] == []


def test_who_ends_the_question_gets_nothing(tmp_path: Path, silent: RedisServer, client: redis.Redis) -> None:
    done = answered(tmp_path, silent, b"\x04")
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "dbvitals: interrupted; nothing was written"
    assert not (tmp_path / HERE).exists()


@pytest.mark.parametrize(
    ("denied", "why", "mend"),
    [
        ("-config|get", "CONFIG GET is refused (", "allow +config|get and +config|set"),
        ("-config|set", "CONFIG SET is refused (", "allow +config|set"),
        ("-config", "CONFIG GET is refused (", f"have the provider set {SETTING} to Exm"),
        ("resetchannels", "PSUBSCRIBE is refused", "+psubscribe"),
    ],
)
def test_a_right_that_is_missing_is_one_line_and_the_report_comes(
    tmp_path: Path, silent: RedisServer, client: redis.Redis, denied: str, why: str, mend: str
) -> None:
    run(client, "ACL", "SETUSER", "limited", "reset", "on", ">pw", "~*", "&*", "+@all", denied)
    env = environment(silent) | {"REDIS_USERNAME": "limited", "REDIS_PASSWORD": "pw"}
    done = start(["-m", "dbvitals", "cache", "--keymiss", "300ms", "--yes"], tmp_path, env)
    assert (done.returncode, done.stderr) == (0, "")
    report = report_in(tmp_path / HERE)
    (missing,) = [one for one in report["incomplete"] if one["part"].startswith("misses")]
    assert missing["part"] == f"misses on {silent.host}:{silent.port}"
    assert missing["why"].startswith(why)
    assert mend in missing["mend"]
    assert report["summary"]["total_keys"] == 50
    assert setting(client) == set()


@pytest.mark.parametrize("time", ["0s", "99h", "-1", "100000s", "soon"])
def test_a_time_that_is_none_is_one_line(tmp_path: Path, time: str) -> None:
    done = start(["-m", "dbvitals", "cache", "--keymiss", time], tmp_path, environment())
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"'{time}' is not a time such as" in line
    assert "above zero, a day at most" in line
