"""What `observe_pool` sees of a blocking engine: threads, forks, and whichever way a connection comes back."""

import gc
import json
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from dbvitals.observe.pool import PoolObserver, observe_pool
from tests.integration.observe.conftest import MakeEngine
from tests.integration.observe.waiting import until_in_thread

PID = text("SELECT pg_backend_pid()")
FORKING = Path(__file__).with_name("forking.py")


def observed(engine: Engine) -> PoolObserver:
    return observe_pool(engine, application="test")


def forgetful(engine: Engine) -> Session:
    session = Session(engine)
    session.execute(PID)
    return session


def test_the_holder_is_named_in_a_thread_too(make_engine: MakeEngine) -> None:
    engine = make_engine()
    observer = observed(engine)
    with ThreadPoolExecutor(1) as threads:
        session = threads.submit(forgetful, engine).result()
    (held,) = observer.observation().connections
    assert held.site is not None
    assert held.site.startswith("tests/integration/observe/test_sync_pool.py:")
    assert held.site.endswith(" forgetful")
    assert held.callers == ()
    assert held.backend_pid == session.execute(PID).scalar_one()
    session.close()
    assert observer.active == 0


def test_many_threads_are_counted_right(make_engine: MakeEngine) -> None:
    engine = make_engine(pool_size=2, max_overflow=1)
    observer = observed(engine)

    def work(_: int) -> None:
        with engine.connect() as connection:
            connection.execute(PID)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(200)))
    window, state = observer.observation().window, observer.state()
    assert (window.checkouts, window.wait.count, window.hold.count) == (200, 200, 200)
    assert (state.checked_out, state.pending) == (0, 0)
    assert state.idle == engine.pool.checkedin()  # type: ignore[attr-defined]


def test_who_blocks_is_pending_and_who_gives_up_is_counted(make_engine: MakeEngine) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=60)
    observer = observed(engine)
    with ThreadPoolExecutor(1) as threads:
        with engine.connect():
            blocked = threads.submit(forgetful, engine)
            until_in_thread(lambda: observer.state().pending == 1)
        blocked.result().close()
    impatient = make_engine(pool_size=1, max_overflow=0, pool_timeout=0.01)
    watching = observed(impatient)
    with impatient.connect(), pytest.raises(PoolTimeout):
        impatient.connect()
    assert (observer.state().pending, observer.state().timeouts_total) == (0, 0)
    assert (watching.state().pending, watching.state().timeouts_total) == (0, 1)


def test_what_the_garbage_collector_gives_back_is_held_no_more(make_engine: MakeEngine) -> None:
    engine = make_engine()
    observer = observed(engine)
    cycle: list[object] = [forgetful(engine)]
    cycle.append(cycle)
    assert observer.active == 1
    del cycle
    gc.collect()
    assert (observer.active, observer.state().idle) == (0, 1)


def test_what_is_held_beyond_a_disposal_is_known_until_it_is_given_back(make_engine: MakeEngine) -> None:
    engine = make_engine()
    observer = observed(engine)
    before = engine.connect()
    engine.dispose()
    with engine.connect():
        assert (observer.active, observer.total) == (2, 2)
    before.close()
    with warnings.catch_warnings():
        # The old pool goes, and its connection with it, which psycopg minds.
        warnings.simplefilter("ignore", ResourceWarning)
        del before
        gc.collect()
    assert (observer.active, observer.total) == (0, 1)


@pytest.mark.parametrize("poolclass", [NullPool, StaticPool])
def test_pools_of_other_kinds_are_observed_too(make_engine: MakeEngine, poolclass: type[NullPool]) -> None:
    engine = make_engine(poolclass=poolclass)
    observer = observed(engine)
    with engine.connect() as connection:
        connection.execute(PID)
        assert observer.active == 1
    assert observer.active == 0
    assert (observer.state().size, observer.state().capacity) == (None, None)
    assert observer.observation().window.hold.count == 1


def test_a_view_with_options_shares_the_pool_that_is_observed(make_engine: MakeEngine) -> None:
    engine = make_engine()
    observer = observed(engine)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(PID)
        assert (observer.active, observer.idle_in_transaction) == (1, 0)
    autocommit.dispose()
    with engine.connect():
        assert observer.active == 1
    assert observer.active == 0


def test_a_broken_listener_of_another_leaves_nothing_held(make_engine: MakeEngine) -> None:
    engine = make_engine()
    observer = observed(engine)

    @event.listens_for(engine, "checkout")
    def break_it(*_: object) -> None:
        raise RuntimeError("another's fault")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="another's fault"):
            engine.connect()
    assert (observer.active, observer.total, observer.state().pending) == (0, 0, 0)


def test_an_engine_that_nobody_observes_is_as_it_was(make_engine: MakeEngine) -> None:
    engine, other = make_engine(), make_engine()
    observed(other)
    assert type(engine.pool) is not type(other.pool)
    assert not engine.pool.dispatch.checkout
    assert type(other.pool).__name__ == type(engine.pool).__name__


def test_a_forked_process_begins_anew(database: str) -> None:
    url = database.replace("postgresql://", "postgresql+psycopg://")
    done = subprocess.run([sys.executable, FORKING, url], capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(done.stdout)
    nothing = {"process": True, "checked_out": 0, "open": 0, "checkouts": 0}
    one = {"process": True, "checked_out": 1, "open": 1, "checkouts": 1}
    back = {"process": True, "checked_out": 0, "open": 1, "checkouts": 1}
    assert told == {"child": [nothing, one, back], "parent": [one, back]}


def test_reading_while_others_work_is_safe(make_engine: MakeEngine) -> None:
    engine = make_engine(pool_size=4)
    observer = observed(engine)
    stop = threading.Event()

    def work() -> int:
        done = 0
        while not stop.is_set():
            connection: Connection
            with engine.connect() as connection:
                connection.execute(PID)
            done += 1
        return done

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(work) for _ in range(4)]
        try:
            for _ in range(300):
                seen = observer.observation()
                assert len(seen.connections) <= 4
                assert observer.idle_in_transaction <= 4
        finally:
            stop.set()
    assert observer.observation().window.checkouts == sum(worker.result() for worker in workers)
