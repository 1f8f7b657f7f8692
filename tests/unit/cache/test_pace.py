"""How hard a pass presses, by a clock that the test moves."""

from typing import Any, cast

import pytest

from dbvitals.collect.redis_pace import DEFAULT, FAST, GENTLE, LEAST_SHARE, LOOK_SECONDS, Pacer, Tempo
from dbvitals.collect.redis_wire import Wire


class World:
    """A server whose PING takes as long as it is told to, and time that passes only then and in sleep."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ping = 0.0002
        self.slept = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def call(self, *words: Any) -> bytes:
        assert words == ("PING",)
        self.now += self.ping
        return b"PONG"

    @property
    def wire(self) -> Wire:
        return cast(Wire, self)


def pacer(world: World, tempo: Tempo = DEFAULT, **options: Any) -> Pacer:
    made = Pacer(tempo, clock=world.clock, sleep=world.sleep, **options)
    made.learn(world.wire)
    return made


@pytest.mark.parametrize(("tempo", "rest"), [(DEFAULT, 0.001), (FAST, 0.0), (GENTLE, 0.001 * (1 / 0.15 - 1))])
def test_the_rest_leaves_the_server_its_share(tempo: Tempo, rest: float) -> None:
    world = World()
    pacer(world, tempo).rest(world.wire, 0.001, world.now)
    assert world.slept == pytest.approx(rest)


def test_time_that_we_needed_ourselves_is_rest_as_well() -> None:
    world = World()
    one = pacer(world)
    since = world.now
    world.now += 0.0004
    one.rest(world.wire, 0.001, since)
    assert world.slept == pytest.approx(0.0006)


def slices(world: World, one: Pacer, seconds: float) -> None:
    until = world.now + seconds
    while world.now < until:
        world.now += 0.0005
        one.rest(world.wire, 0.0005, world.now)


def test_late_answers_slow_the_pass_down_and_good_ones_bring_it_back() -> None:
    world = World()
    one = pacer(world)
    world.ping = 0.02
    slices(world, one, 40 * LOOK_SECONDS)
    assert one.duty == LEAST_SHARE * 0.5
    assert one.slowed_down > 5
    assert one.ping_p99 == pytest.approx(0.02)
    world.ping = 0.0002
    slices(world, one, 60 * LOOK_SECONDS)
    assert one.duty == 0.5


def test_a_single_late_answer_is_no_reason() -> None:
    world = World()
    one = pacer(world)
    slices(world, one, 5 * LOOK_SECONDS)
    world.ping = 0.5
    slices(world, one, LOOK_SECONDS / 2)
    world.ping = 0.0002
    slices(world, one, 3 * LOOK_SECONDS)
    assert one.slowed_down == 0


def test_fast_slows_down_as_well() -> None:
    world = World()
    one = pacer(world, FAST)
    world.ping = 0.02
    slices(world, one, 10 * LOOK_SECONDS)
    assert one.duty < 0.5


def test_a_server_far_away_is_not_late() -> None:
    world = World()
    world.ping = 0.05
    one = pacer(world)
    slices(world, one, 20 * LOOK_SECONDS)
    assert one.slowed_down == 0


def test_the_time_is_up() -> None:
    world = World()
    limited, endless = pacer(world, max_seconds=1.0), pacer(world)
    before = (limited.over, endless.over)
    world.now += 1.0
    assert [before, (limited.over, endless.over)] == [(False, False), (True, False)]
