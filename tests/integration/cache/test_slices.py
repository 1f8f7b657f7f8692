"""Slices that the server makes while the one before is added up: nothing is lost, nothing counted twice."""

import pytest

from dbvitals.collect import redis_pace
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer, Tempo
from dbvitals.collect.redis_pass import Progress, ScriptPass
from dbvitals.collect.redis_wire import RefusedError, Wire
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import FOLDING, Client, fill, reads_of, run, target_of

KEYS = 3_000 + 1_500 + 120


@pytest.fixture(autouse=True)
def nothing_is_ever_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_pace, "LATE_SECONDS", 60.0)


def walked(server: RedisServer, harvest: Harvest, progress: Progress, **login: str) -> str:
    """Walk without rests; gives the node's name."""
    with Wire(target_of(server, **login), connect_timeout=10, answer_timeout=10) as wire:
        pacer = Pacer(Tempo(slice_us=200, duty=1.0))
        pacer.learn(wire)
        ScriptPass(wire, harvest, pacer, ask_fields=False).walk(0, progress)
        return wire.name


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
def test_ctrl_c_loses_neither_the_slice_in_hand_nor_the_one_on_its_way(
    valkey: RedisServer, client: Client, slices: int
) -> None:
    fill(client, keys=3_000)
    told: list[int] = []

    def stop(keys: int) -> None:
        told.append(keys)
        if len(told) == slices:
            raise KeyboardInterrupt

    harvest = Harvest(FOLDING, show_keys=False)
    before = reads_of(client)
    with pytest.raises(KeyboardInterrupt):
        walked(valkey, harvest, stop)
    (own,), counted = harvest.own.values(), reads_of(client)
    assert (own.hits, own.misses) == (counted.hits - before.hits, counted.misses - before.misses)
    assert harvest.seen == sum(stats.count for stats in harvest.tally.freeze())
    assert sum(told) <= harvest.seen < KEYS
    assert (harvest.seen > sum(told)) == (slices > 1)  # the first one goes alone


def test_scripts_that_are_flushed_again_and_again_are_sent_again(valkey: RedisServer, client: Client) -> None:
    fill(client, keys=3_000)
    harvest = Harvest(FOLDING, show_keys=False)
    walked(valkey, harvest, lambda keys: run(client, "SCRIPT", "FLUSH"))
    assert harvest.seen == sum(stats.count for stats in harvest.tally.freeze()) == KEYS


def test_scripts_that_are_denied_on_the_way_end_the_pass_and_start_no_other(
    valkey: RedisServer, client: Client
) -> None:
    fill(client, keys=3_000)
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "+@all")

    def deny(_: int) -> None:
        run(client, "ACL", "SETUSER", "reader", "-eval", "-eval_ro", "-evalsha", "-evalsha_ro")

    harvest = Harvest(FOLDING, show_keys=False)
    with pytest.raises(RefusedError, match="permissions"):
        walked(valkey, harvest, deny, user="reader", password="pw")
    assert 0 < harvest.seen == sum(stats.count for stats in harvest.tally.freeze()) < KEYS
