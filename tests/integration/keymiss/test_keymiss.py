"""Misses by pattern, heard for a while."""

import itertools
import time

from redis import Redis

from dbvitals.analyse.key_condense import CROWDED
from dbvitals.analyse.key_tally import bucket_middle
from dbvitals.sandbox import RedisServer
from tests.integration.keymiss.hearing import listen_while, setting, target, wait_until


def test_every_miss_is_counted_by_its_pattern(redis_server: RedisServer, client: Redis) -> None:
    client.set("session:there", 1)

    def work() -> None:
        for number in range(300):
            client.get(f"session:{number}")
            client.get("session:there")
        client.mget("room:1", "room:2")
        client.get(b"\x00\xff\n")

    heard = listen_while([target(redis_server)], client, work)
    assert {one.pattern: one.misses for one in heard.lookups} == {"session:*": 300, "room:<n>": 2, "<bytes>": 1}
    assert {(one.source, one.hits) for one in heard.lookups} == {("keymiss", None)}
    assert heard.skipped == ()
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

    (after,) = listen_while([target(redis_server)], client, work).after_expiry
    assert (after.pattern, after.misses) == ("session:*", 1)
    (bucket,) = after.buckets
    assert 1.5 <= bucket_middle(bucket) / 1000 <= waited[0] + 1


def test_one_database_alone(redis_server: RedisServer, client: Redis) -> None:
    def work() -> None:
        with Redis(host=redis_server.host, port=redis_server.port, password=redis_server.password, db=3) as third:
            third.get("session:third")
        client.get("session:first")
        client.get("session:second")

    heard = listen_while([target(redis_server)], client, work, db=0)
    assert [one.misses for one in heard.lookups] == [2]


def test_patterns_without_end_are_bounded_and_the_report_says_so(redis_server: RedisServer, client: Redis) -> None:
    words = ["".join(letters) for letters in itertools.product("qwzvkx", repeat=5)]

    def work() -> None:
        for _ in range(3):
            client.mget(words)
            client.get("often")

    heard = listen_while([target(redis_server)], client, work)
    assert len(words) > CROWDED
    assert len(heard.lookups) <= CROWDED
    assert sum(one.misses for one in heard.lookups) == 3 * (len(words) + 1)
    assert [skipped.part for skipped in heard.skipped] == ["misses by pattern"]
    assert f"more than {CROWDED:,} patterns" in heard.skipped[0].why
