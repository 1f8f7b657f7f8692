"""The server's setting is changed only where it must be, and put back whatever happens."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from dbvitals.collect.keymiss_setting import Objection, with_misses
from dbvitals.sandbox import RedisServer
from tests.integration.keymiss.hearing import PATIENCE, SETTING, listen_while, setting, target, wait_until

ROOT = Path(__file__).parents[3]


def test_what_was_set_is_put_back_as_it_was(redis_server: RedisServer, client: Redis) -> None:
    client.config_set(SETTING, "Kg$")
    during: list[set[str]] = []
    listen_while([target(redis_server)], client, lambda: during.append(setting(client)))
    assert during == [set("Kg$Emx")]
    assert setting(client) == set("Kg$")


def test_a_setting_that_the_server_writes_shorter_is_put_back_all_the_same(
    redis_server: RedisServer, client: Redis
) -> None:
    client.config_set(SETTING, "Kg$lshzetd")
    during: list[set[str]] = []
    listen_while([target(redis_server)], client, lambda: during.append(setting(client)))
    assert during == [set("AKEm")]
    assert setting(client) == set("Kg$lshzetd")


def test_nothing_is_changed_where_misses_are_told_already(redis_server: RedisServer, client: Redis) -> None:
    client.config_set(SETTING, "AEm")

    def never(node: str, before: str, after: str) -> Objection:
        raise AssertionError("nobody is to be asked")

    heard = listen_while([target(redis_server)], client, lambda: client.get("session:1"), may_change=never)
    assert [one.misses for one in heard.lookups] == [1]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_setting_is_put_back_when_the_listener_is_killed(
    redis_server: RedisServer, client: Redis, ending: signal.Signals
) -> None:
    client.config_set(SETTING, "Kx")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.keymiss.killed"], stdin=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        process.stdin.write(f"{redis_server.password} {redis_server.port}\n")
        process.stdin.flush()
        wait_until(lambda: client.pubsub_numpat() > 0)
        assert setting(client) == set("KxEm")
        process.send_signal(ending)
        process.wait(PATIENCE)
    wait_until(lambda: setting(client) == set("Kx"))


def test_what_somebody_else_has_set_meanwhile_stays(redis_server: RedisServer, client: Redis) -> None:
    listen_while([target(redis_server)], client, lambda: client.config_set(SETTING, "KEA"))
    assert setting(client) == set("KEA")


@pytest.mark.parametrize(
    ("before", "after"), [("", "Emx"), ("AKE", "AKEm"), ("KEA", "KEAm"), ("Kx", "KxEm"), ("Emx", "Emx")]
)
def test_what_is_there_stays_and_what_lacks_is_added(before: str, after: str) -> None:
    assert with_misses(before) == after
