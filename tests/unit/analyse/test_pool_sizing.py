"""The size that is advised, against simulations whose truth is known."""

from datetime import timedelta
from functools import cache

import msgspec
import pytest
from msgspec.structs import replace

from dbvitals.analyse.pool_sizing import FEWEST_CHECKOUTS, PoolAdvice, PoolSupply, WaitTarget, size_pool
from dbvitals.snapshot_pool import HeldConnection, PoolObservation, PoolWindow
from tests.unit.analyse.simulated_pool import (
    NOON,
    Service,
    constant,
    exponential,
    lognormal,
    mostly_short,
    observation,
    p95,
    pareto,
    recorded,
    waits,
)

TARGET = WaitTarget(p95_seconds=0.010)
PLENTY = PoolSupply(connections=1000, processes=1)
MINUTES = 599.0
# The truth is that of a course four times as long, of other people.
LONG = 2400.0


@cache
def window(service: Service, size: int) -> PoolWindow:
    return recorded(list(service.visits(MINUTES, seed=5)), size, MINUTES)


@cache
def advised(observed: PoolObservation, target: WaitTarget, supply: PoolSupply) -> PoolAdvice:
    """The answer to a question that another test may have asked."""
    return size_pool(observed, target, supply)


def watched(service: Service, size: int) -> PoolObservation:
    return observation(window(service, size), size=size)


SERVICES = {
    "exponential": Service(exponential),
    "one in ten is long": Service(mostly_short),
    "lognormal": Service(lognormal),
    "pareto": Service(pareto),
    "constant": Service(constant),
    "five at once": Service(lognormal, together=5),
}


@pytest.mark.parametrize("name", SERVICES)
def test_waits_are_foretold_and_the_smallest_size_is_found(name: str) -> None:
    service, size = SERVICES[name], 8 if name == "five at once" else 6
    truth = list(service.visits(LONG, seed=77))
    advice = advised(watched(service, size), TARGET, PLENTY)
    assert advice.refused is None
    assert advice.today is not None
    true = waits(truth, size)
    assert advice.today.mean_wait == pytest.approx(sum(true) / len(true), rel=0.3)
    assert advice.today.p95_wait == pytest.approx(p95(true), rel=0.3)
    smallest = next(size for size in range(3, 40) if p95(waits(truth, size)) <= TARGET.p95_seconds)
    assert advice.needed is not None
    assert abs(advice.needed - smallest) <= 1
    assert advice.proposed is not None
    assert advice.proposed.p95_wait is not None
    assert advice.proposed.p95_wait <= TARGET.p95_seconds


def test_the_formula_is_right_where_it_is_meant_to_be() -> None:
    service = SERVICES["exponential"]
    true = waits(list(service.visits(LONG, seed=77)), 6)
    today = advised(watched(service, 6), TARGET, PLENTY).today
    assert today is not None
    assert today.mean_wait_by_formula == pytest.approx(sum(true) / len(true), rel=0.2)


def test_the_advice_is_the_same_each_time() -> None:
    seen = watched(SERVICES["pareto"], 6)
    assert size_pool(seen, TARGET, PLENTY) == advised(seen, TARGET, PLENTY)
    assert msgspec.json.encode(advised(seen, TARGET, PLENTY))


def test_a_stricter_target_never_asks_for_fewer() -> None:
    seen = watched(SERVICES["one in ten is long"], 8)
    targets = (0.5, 0.02, 0.0)
    needed = [advised(seen, WaitTarget(p95_seconds=wait), PLENTY).needed or 0 for wait in targets]
    assert needed == sorted(needed)
    assert needed[0] >= 5  # the load alone is above four


@pytest.mark.parametrize("size", [3, 4])
def test_an_overloaded_pool_is_not_sized(size: int) -> None:
    refused = advised(watched(SERVICES["exponential"], size), TARGET, PLENTY).refused
    assert refused is not None
    assert refused.why == "overload"


def test_a_load_just_below_the_capacity_is_overload_too() -> None:
    service = Service(constant, rate=95.0)  # 4.75 of 5
    advice = advised(watched(service, 5), TARGET, PLENTY)
    assert advice.refused is not None
    assert advice.refused.why == "overload"
    assert (advice.needed, advice.pool_size, advice.proposed) == (None, None, None)


def test_time_outs_censor_what_is_measured() -> None:
    seen = watched(SERVICES["exponential"], 8)
    refused = advised(replace(seen, window=replace(seen.window, timeouts=1)), TARGET, PLENTY).refused
    assert refused is not None
    assert refused.why == "time-outs"
    assert "1 of " in refused.message


def test_few_checkouts_tell_too_little() -> None:
    quiet = Service(exponential, rate=0.7)
    refused = advised(watched(quiet, 8), TARGET, PLENTY).refused
    assert refused is not None
    assert refused.why == "too few"
    assert str(FEWEST_CHECKOUTS) in refused.message


def test_nothing_measured_is_too_few() -> None:
    empty = recorded([], 5, 0.0)
    refused = advised(observation(empty, size=5), TARGET, PLENTY).refused
    assert refused is not None
    assert refused.why == "too few"


def test_a_leak_is_named_before_any_size() -> None:
    leaked = HeldConnection(
        backend_pid=4711,
        local_port=None,
        checked_out_at=NOON - timedelta(hours=1),
        seconds=3600.0,
        site="app/services/leases.py:88 renew",
    )
    seen = replace(watched(SERVICES["exponential"], 8), connections=(leaked,) * 2)
    refused = advised(seen, TARGET, PLENTY).refused
    assert refused is not None
    assert refused.why == "still out"
    assert "app/services/leases.py:88 renew" in refused.message
    short = replace(leaked, seconds=0.05)
    assert advised(replace(seen, connections=(short,)), TARGET, PLENTY).refused is None


def test_the_supply_caps_the_size_and_the_overflow() -> None:
    seen = watched(SERVICES["exponential"], 8)
    free = advised(seen, TARGET, PoolSupply())
    capped = advised(seen, TARGET, PoolSupply(connections=20, processes=3))
    tight = advised(seen, TARGET, PoolSupply(connections=9, processes=1))
    assert free.needed == capped.needed == tight.needed == 8
    assert (free.pool_size, free.max_overflow, free.capped) == (8, 4, False)
    assert (capped.pool_size, capped.max_overflow, capped.capped) == (6, 0, True)
    assert (tight.pool_size, tight.max_overflow, tight.capped) == (8, 1, False)
    assert capped.proposed is not None
    assert capped.proposed.p95_wait is not None
    assert capped.proposed.p95_wait > TARGET.p95_seconds


def test_a_supply_below_the_load_has_no_waits_to_foretell() -> None:
    advice = advised(watched(SERVICES["exponential"], 8), TARGET, PoolSupply(connections=3))
    assert advice.pool_size == 3
    assert advice.proposed is not None
    assert advice.proposed.utilisation > 1
    assert (advice.proposed.mean_wait, advice.proposed.p95_wait) == (None, None)


@pytest.mark.parametrize("connections", [0, 2, -5])
def test_a_server_without_a_connection_for_each_process_gets_no_size(connections: int) -> None:
    supply = PoolSupply(connections=connections, processes=3)
    refused = advised(watched(SERVICES["exponential"], 8), TARGET, supply).refused
    assert refused is not None
    assert refused.why == "no supply"


@pytest.mark.parametrize(("size", "max_overflow"), [(None, None), (0, -1), (5, -1)])
def test_a_pool_without_a_limit_is_sized_as_well(size: int | None, max_overflow: int | None) -> None:
    seen = observation(window(SERVICES["exponential"], 100), size=size, max_overflow=max_overflow)
    advice = advised(seen, TARGET, PLENTY)
    assert advice.today is None
    assert advice.needed == 8


def test_the_busiest_window_decides() -> None:
    busy = window(SERVICES["exponential"], 8)
    quiet = window(Service(exponential, rate=10.0), 8)
    assert advised(observation(quiet, size=8, busiest=busy), TARGET, PLENTY).window == busy
    assert advised(observation(busy, size=8, busiest=quiet), TARGET, PLENTY).window == busy


def test_a_true_peak_counts_and_chance_does_not() -> None:
    seen = watched(SERVICES["exponential"], 8)
    mean = seen.window.checkouts / seen.window.seconds
    assert seen.window.arrivals_per_second_peak > mean
    assert advised(seen, TARGET, PLENTY).arrivals_per_second == pytest.approx(mean)
    peak = replace(seen.window, arrivals_per_second_peak=3 * mean)
    advice = advised(replace(seen, window=peak), TARGET, PLENTY)
    assert advice.arrivals_per_second == pytest.approx(3 * mean)
    assert advice.needed is not None
    assert advice.needed > 12
