"""Nodes that may not be asked, that refuse or that are not there: each is named, the others are heard."""

import pytest
from redis import Redis

from dbvitals.collect.keymiss import listen_for_misses
from dbvitals.collect.keymiss_setting import Objection
from dbvitals.sandbox import RedisServer
from dbvitals.settings_redis import RedisTarget
from tests.integration.cache.ground import run
from tests.integration.cache.relay import cut_at
from tests.integration.keymiss.hearing import FOLDING, SETTING, listen_while, setting, target, yes


def test_who_says_no_gets_no_misses_and_is_told_so(redis_server: RedisServer, client: Redis) -> None:
    asked: list[tuple[str, str, str]] = []

    def no(node: str, before: str, after: str) -> Objection:
        asked.append((node, before, after))
        return Objection(why="no", mend="ask again")

    heard = listen_for_misses([target(redis_server)], FOLDING, seconds=0.2, may_change=no)
    assert asked == [(f"{redis_server.host}:{redis_server.port}", "", "Emx")]
    assert heard.lookups == ()
    assert [(skipped.why, skipped.mend) for skipped in heard.skipped] == [("no", "ask again")]
    assert setting(client) == set()


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
    run(client, "ACL", "SETUSER", "limited", "reset", "on", ">pw", *rights)
    try:
        limited = target(redis_server, "limited")
        heard = listen_for_misses([limited], FOLDING, seconds=0.2, may_change=yes)
    finally:
        run(client, "ACL", "DELUSER", "limited")
    assert [skipped.why.partition(" (")[0] for skipped in heard.skipped] == [why]
    assert setting(client) == set()


def test_where_the_provider_has_set_it_and_it_may_not_be_read_misses_are_heard(
    redis_server: RedisServer, client: Redis
) -> None:
    client.config_set(SETTING, "Emx")
    run(client, "ACL", "SETUSER", "limited", "reset", "on", ">pw", "+@all", "-config", "~*", "&*")
    try:
        heard = listen_while([target(redis_server, "limited")], client, lambda: client.get("session:1"))
    finally:
        run(client, "ACL", "DELUSER", "limited")
    assert ([one.misses for one in heard.lookups], heard.skipped) == ([1], ())


def test_nodes_that_are_not_there_cost_only_their_own_misses(redis_server: RedisServer, client: Redis) -> None:
    away = [RedisTarget(host="127.0.0.1", port=port) for port in (1, 2)]
    targets = [away[0], target(redis_server), away[1]]
    heard = listen_while(targets, client, lambda: client.get("session:1"))
    assert [(one.pattern, one.misses) for one in heard.lookups] == [("session:*", 1)]
    assert [skipped.part for skipped in heard.skipped] == ["misses on 127.0.0.1:1", "misses on 127.0.0.1:2"]
    assert all("cannot connect" in skipped.why for skipped in heard.skipped)


def test_where_no_node_is_there_nobody_waits(redis_server: RedisServer) -> None:
    heard = listen_for_misses([RedisTarget(host="127.0.0.1", port=1)], FOLDING, seconds=3_600, may_change=yes)
    assert (heard.lookups, len(heard.skipped)) == ((), 1)


def test_nodes_that_are_silent_for_one_reason_are_named_in_one_line(redis_server: RedisServer, client: Redis) -> None:
    here = target(redis_server)
    heard = listen_for_misses(
        [here, here], FOLDING, seconds=0.2, may_change=lambda node, before, after: Objection(why="no", mend="ask again")
    )
    assert [skipped.part for skipped in heard.skipped] == [f"misses on {here.name}, {here.name}"]


def test_a_connection_that_is_lost_before_it_listens_is_a_missing_part(
    redis_server: RedisServer, client: Redis
) -> None:
    client.config_set(SETTING, "Emx")
    with cut_at(redis_server, b"PSUBSCRIBE") as port:
        there = RedisTarget(host="127.0.0.1", port=port, password=redis_server.password)
        heard = listen_for_misses([there], FOLDING, seconds=0.2, may_change=yes)
    assert [skipped.why.partition(":")[0] for skipped in heard.skipped] == ["it went away before we listened"]
