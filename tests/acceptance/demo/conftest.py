"""The demo's servers after its day of traffic: with every fault planted, and with none."""

from collections.abc import Iterator

import pytest
from rich.console import Console

from demo.faults import FAULTS, Fault
from demo.redis_faults import REDIS_FAULTS, RedisFault
from demo.run import Plan, fill
from demo.scale import SMALL
from demo.servers import Servers, running
from demo.stages import Stages

SEED = 1


def filled(faults: tuple[Fault, ...], redis_faults: tuple[RedisFault, ...]) -> Iterator[Servers]:
    plan = Plan(scale=SMALL, seed=SEED, faults=faults, redis_faults=redis_faults, keep=False, serve=False)
    with running(None) as servers:
        fill(servers, plan, Stages(Console(quiet=True)))
        yield servers


@pytest.fixture(scope="session")
def faulty() -> Iterator[Servers]:
    yield from filled(FAULTS, REDIS_FAULTS)


@pytest.fixture(scope="session")
def clean() -> Iterator[Servers]:
    yield from filled((), ())
