"""Misses by pattern, heard for a while; and the server's setting, which is put back whatever happens."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import bucket_middle
from dbvitals.collect.keymiss import MissWindow, listen_for_misses
from dbvitals.collect.keymiss_setting import with_misses
from dbvitals.errors import ServerError
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer
from dbvitals.settings_redis import RedisTarget
from tests.integration.cache.relay import cut_at

ROOT = Path(__file__).parents[3]
SETTING = "notify-keyspace-events"
FOLDING = Folding([KeyFamily(pattern="session:*", description="")])
PATIENCE = 30.0

Ask = Callable[[str, str, str], bool]


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url, decode_responses=True) as link:
        link.flushall()
        link.config_set(SETTING, "")
        yield link
        link.config_set(SETTING, "")
        link.flushall()


def setting(client: Redis) -> set[str]:
    return set(str(client.config_get(SETTING)[SETTING]))


def target(server: RedisServer, **changes: str) -> RedisTarget:
    given = {"user": "", "password": server.password} | changes
    return RedisTarget(host=server.host, port=server.port, user=given["user"], password=given["password"])


def yes(node: str, before: str, after: str) -> bool:
    return True


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def listen_while(
    server: RedisServer, client: Redis, work: Callable[[], object], *, may_change: Ask = yes, db: int | None = None
) -> MissWindow:
    """Do the work when somebody listens, and end the listening when it has been heard."""
    over = threading.Event()

    def run() -> None:
        try:
            wait_until(lambda: client.pubsub_numpat() > 0)
            work()
            time.sleep(0.5)  # the last events may lie in the connection yet
        finally:
            over.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return listen_for_misses(
            [target(server)], FOLDING, seconds=PATIENCE, may_change=may_change, db=db, stop=over.is_set
        )
    finally:
        thread.join()


def test_every_miss_is_counted_by_its_pattern(redis_server: RedisServer, client: Redis) -> None:
    client.set("session:there", 1)

    def work() -> None:
        for number in range(300):
            client.get(f"session:{number}")
            client.get("session:there")
        client.mget("room:1", "room:2")
        client.get(b"\x00\xff\n")

    heard = listen_while(redis_server, client, work)
    assert {one.pattern: one.misses for one in heard.lookups} == {"session:*": 300, "room:<n>": 2, "<bytes>": 1}
    assert {(one.source, one.hits) for one in heard.lookups} == {("keymiss", None)}
    assert heard.skipped == ()
    assert setting(client) == set()


def test_what_was_set_is_put_back_as_it_was(redis_server: RedisServer, client: Redis) -> None:
    client.config_set(SETTING, "Kg$")
    during: list[set[str]] = []
    listen_while(redis_server, client, lambda: during.append(setting(client)))
    assert during == [set("Kg$Emx")]
    assert setting(client) == set("Kg$")


def test_nothing_is_changed_where_misses_are_told_already(redis_server: RedisServer, client: Redis) -> None:
    client.config_set(SETTING, "AEm")

    def never(node: str, before: str, after: str) -> bool:
        raise AssertionError("nobody is to be asked")

    heard = listen_while(redis_server, client, lambda: client.get("session:1"), may_change=never)
    assert [one.misses for one in heard.lookups] == [1]


def test_who_says_no_gets_no_misses_and_is_told_so(redis_server: RedisServer, client: Redis) -> None:
    asked: list[tuple[str, str, str]] = []

    def no(node: str, before: str, after: str) -> bool:
        asked.append((node, before, after))
        return False

    heard = listen_for_misses([target(redis_server)], FOLDING, seconds=0.2, may_change=no)
    assert asked == [(f"{redis_server.host}:{redis_server.port}", "", "Emx")]
    assert (heard.lookups, [skipped.why for skipped in heard.skipped]) == ((), [f"{SETTING} is not to be changed"])
    assert setting(client) == set()


def test_the_time_between_expiry_and_the_next_look_is_measured(redis_server: RedisServer, client: Redis) -> None:
    waited: list[float] = []

    def work() -> None:
        client.set("session:1", 1, px=20)
        wait_until(lambda: client.dbsize() == 0)  # DBSIZE looks for no key, so the server has found it by itself
        began = time.monotonic()
        time.sleep(2)
        client.get("session:1")
        waited.append(time.monotonic() - began)

    (after,) = listen_while(redis_server, client, work).after_expiry
    assert (after.pattern, after.misses) == ("session:*", 1)
    (bucket,) = after.buckets
    assert 1.5 <= bucket_middle(bucket) / 1000 <= waited[0] + 1


def test_one_database_alone(redis_server: RedisServer, client: Redis) -> None:
    def work() -> None:
        with Redis(host=redis_server.host, port=redis_server.port, password=redis_server.password, db=3) as third:
            third.get("session:third")
        client.get("session:first")
        client.get("session:second")

    heard = listen_while(redis_server, client, work, db=0)
    assert [one.misses for one in heard.lookups] == [2]


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
    listen_while(redis_server, client, lambda: client.config_set(SETTING, "KEA"))
    assert setting(client) == set("KEA")


@pytest.mark.parametrize(
    ("rights", "why"),
    [
        (("+@all", "-config|get", "~*", "&*"), "CONFIG GET is refused"),
        (("+@all", "-config|set", "~*", "&*"), "CONFIG SET is refused"),
        (("+@all", "~*", "resetchannels"), "PSUBSCRIBE is refused"),
    ],
)
def test_a_right_that_is_missing_is_named(
    redis_server: RedisServer, client: Redis, rights: tuple[str, ...], why: str
) -> None:
    client.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">pw", *rights)  # type: ignore[no-untyped-call]
    try:
        limited = target(redis_server, user="limited", password="pw")
        heard = listen_for_misses([limited], FOLDING, seconds=0.2, may_change=yes)
    finally:
        client.execute_command("ACL", "DELUSER", "limited")  # type: ignore[no-untyped-call]
    assert [skipped.why.partition(" (")[0] for skipped in heard.skipped] == [why]
    assert setting(client) == set()


def test_a_server_that_is_not_there_is_an_error(redis_server: RedisServer) -> None:
    with pytest.raises(ServerError, match="cannot connect"):
        listen_for_misses([RedisTarget(host="127.0.0.1", port=1)], FOLDING, seconds=1, may_change=yes)


def test_a_connection_that_is_lost_before_it_listens_is_a_missing_part(
    redis_server: RedisServer, client: Redis
) -> None:
    client.config_set(SETTING, "Emx")
    with cut_at(redis_server, b"PSUBSCRIBE") as port:
        there = RedisTarget(host="127.0.0.1", port=port, password=redis_server.password)
        heard = listen_for_misses([there], FOLDING, seconds=0.2, may_change=yes)
    assert [skipped.why.partition(":")[0] for skipped in heard.skipped] == ["it went away before we listened"]


@pytest.mark.parametrize(
    ("before", "after"), [("", "Emx"), ("AKE", "AKEm"), ("KEA", "KEAm"), ("Kx", "KxEm"), ("Emx", "Emx")]
)
def test_what_is_there_stays_and_what_lacks_is_added(before: str, after: str) -> None:
    assert with_misses(before) == after
