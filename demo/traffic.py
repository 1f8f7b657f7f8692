"""The service's day: a seeded sequence of operations, run over a few connections at once."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

import psycopg

from demo.guests import Directory, choose, make_directory, uuid_at
from demo.hotel import EVENTS, lock_resource
from demo.operations import OPERATIONS, Operation, Values
from demo.queries import load
from demo.rhythm import milliseconds
from demo.scale import TENANTS, Scale

COUNT = 6_000
CONNECTIONS = 3
APPLICATION = "hotel-service"
STEP = timedelta(milliseconds=50)
SETTLE_SECONDS = 10.0

_BOUNDS = tuple(accumulate(operation.weight for operation in OPERATIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation with its parameters."""

    operation: Operation
    values: Values


def make_calls(scale: Scale, seed: int, until: datetime, also: Sequence[Operation] = ()) -> list[Call]:
    """Give the whole sequence, from `until` on. `also` lists further operations, spread evenly in between."""
    directory = make_directory(scale, seed, until)
    random = Random(f"{seed}:traffic")
    calls = [
        Call(
            operation=choose(OPERATIONS, _BOUNDS, random),
            values=_values(directory, scale, until + number * STEP, random),
        )
        for number in range(COUNT)
    ]
    every = COUNT // (len(also) + 1)
    for number, operation in enumerate(also, 1):
        at = number * every
        calls[at] = Call(operation=operation, values=calls[at].values)
    return calls


def _values(directory: Directory, scale: Scale, now: datetime, random: Random) -> Values:
    tenant = directory.tenant(random)
    guest = directory.identifier(tenant, random)
    # The hotels' locks take turns (demo/hotel.py): this is one of the hotel's own.
    lock = tenant + TENANTS * int(random.random() * (scale.locks // TENANTS))
    return {
        "tenant": directory.tenants[tenant].id,
        "user": guest.user,
        "identifier": guest.id,
        "platform": guest.platform,
        "value": guest.value,
        "now": now,
        "row": uuid_at(milliseconds(now), random),
        "resource": lock_resource(lock),
        "owner": f"agent-{lock % 4}",
        "event": EVENTS[int(random.random() * len(EVENTS))].type,
        "request": f"req-{random.getrandbits(64):016x}",
        "offset": 20 * int(random.random() * 5),
    }


def run(dsn: str, calls: Sequence[Call]) -> None:
    """Run all calls, dealt out to the connections in turn, and wait until the server has counted them."""
    stop = threading.Event()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        workers = [pool.submit(_work, dsn, calls[n::CONNECTIONS], stop) for n in range(CONNECTIONS)]
        try:
            for worker in workers:
                worker.result()
        finally:
            stop.set()
    _settle(dsn)


def _work(dsn: str, calls: Sequence[Call], stop: threading.Event) -> None:
    with psycopg.connect(dsn, autocommit=True, application_name=APPLICATION) as connection:
        for call in calls:
            if stop.is_set():
                return
            call.operation.run(connection, call.values)


def _settle(dsn: str) -> None:
    """Wait for the end of the service's backends: that is when the last of their counters arrive."""
    deadline = time.monotonic() + SETTLE_SECONDS
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < deadline:
            count = connection.execute(load("setup/service_backends"), {"name": APPLICATION}).fetchone()
            if count == (0,):
                return
            time.sleep(0.05)
