"""Observes an engine's pool: how long one waits for a connection, how long it is held, by whom, and from which line.

SQLAlchemy announces when a connection is made, goes out and comes back, but not when somebody begins to wait for one,
and not when the pool gives up on them. So the pool's class is replaced by a subclass of it, which a disposed engine's
new pool has as well.
"""

import os
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from dbvitals.observe.drivers import UNKNOWN, identify
from dbvitals.observe.registry import Holding, Labels, Registry
from dbvitals.observe.site import CodeSites, current_flow
from dbvitals.observe.windows import WindowRecorder
from dbvitals.snapshot_pool import POOL_SCHEMA_VERSION, PoolObservation, PoolState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# Where a connection's own dictionary keeps what is known of it, until it is closed.
_SESSION = "dbvitals.session"
_HOLDING = "dbvitals.holding"
_observers: "weakref.WeakSet[PoolObserver]" = weakref.WeakSet()


def _nothing(_: float) -> object:
    return None


def _no_labels() -> Labels:
    return Labels()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What is told of every single time, in seconds: waited, held, created, and waited in vain."""

    waited: Callable[[float], object] = _nothing
    held: Callable[[float], object] = _nothing
    created: Callable[[float], object] = _nothing
    timed_out: Callable[[float], object] = _nothing


def observe_pool(
    engine: "Engine | AsyncEngine",
    *,
    application: str,
    name: str = "default",
    packages: tuple[str, ...] = (),
    plumbing: tuple[str, ...] = (),
    labels: Callable[[], Labels] = _no_labels,
    listener: Listener | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> "PoolObserver":
    """Observe an engine from now on; call it once, before the first connection is taken.

    `packages` are those of the application (without them, all that is not installed is its code), `plumbing` the
    modules through which all its connections are taken, which are no answer to who took one. `labels` is called at
    each checkout, in the context of who takes it; it must not raise. Raises ValueError when the engine is observed.
    """
    sync_engine = engine if isinstance(engine, Engine) else engine.sync_engine
    observed = isinstance(sync_engine.pool, ObservedPool)
    if observed:
        raise ValueError(f"the pool of {sync_engine!r} is observed already")
    observer = PoolObserver(
        sync_engine, application, name, CodeSites(packages, plumbing), labels, listener or Listener(), clock
    )
    observer.attach()
    return observer


class PoolObserver:
    """What is known of one engine's pool, in one process: `observation()` and `state()` give it as values."""

    def __init__(
        self,
        engine: Engine,
        application: str,
        name: str,
        sites: CodeSites,
        labels: Callable[[], Labels],
        listener: Listener,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._engine = engine
        self._application = application
        self._sites = sites
        self._labels = labels
        self._listener = listener
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a process that has just been forked: what is out there is the parent's."""
        self.registry = Registry()
        self._waiting: dict[Any, float] = {}
        self._recorder = WindowRecorder(self._clock(), datetime.now(UTC))

    def attach(self) -> None:
        """Replace the pool's class, and listen to its events."""
        pool = self._engine.pool
        kind = type(pool)
        # The old name and module, which make the name of the pool's logger.
        pool.__class__ = type(kind.__name__, (ObservedPool, kind), {"observer": self, "__module__": kind.__module__})
        event.listen(self._engine, "connect", self._connected)
        event.listen(self._engine, "checkout", self._checked_out)
        event.listen(self._engine, "checkin", self._came_back)
        # What the garbage collector finds of an asyncio engine is never checked in.
        event.listen(self._engine, "detach", self._detached)
        event.listen(self._engine, "close", self._closed)
        event.listen(self._engine, "before_cursor_execute", self._executing)
        event.listen(self._engine, "after_cursor_execute", self._executed)
        # The first of its listeners, since one that raises is the last one that is called.
        event.listen(self._engine, "handle_error", self._failed, insert=True)
        _observers.add(self)

    def obtain(self, get: Callable[[], ConnectionPoolEntry]) -> ConnectionPoolEntry:
        """Take an entry from the pool, and note how long that took."""
        flow = current_flow()
        if flow in self._waiting:  # the pool asks itself again when another one took what it had seen
            return get()
        self._waiting[flow] = now = self._clock()
        self._recorder.arrived(now)
        try:
            return get()
        except PoolTimeout:
            self._recorder.timed_out(self._clock())
            self._listener.timed_out(1)
            raise
        finally:
            self.stop_waiting()

    def stop_waiting(self) -> None:
        """Somebody's turn has come, or they gave up: making a connection is not waiting for one."""
        since = self._waiting.pop(current_flow(), None)
        if since is not None:
            now = self._clock()
            self._recorder.waited(now, now - since)
            self._listener.waited(now - since)

    @property
    def active(self) -> int:
        """Connections that are out."""
        return self.registry.out

    @property
    def total(self) -> int:
        """Open connections."""
        return self.registry.out + self.registry.idle

    @property
    def idle_in_transaction(self) -> int:
        """Connections that are out with a transaction open, and no statement running."""
        return self.registry.idle_in_transaction()

    def running_longer_than(self, seconds: float) -> int:
        """Connections on which a statement runs for longer."""
        return self.registry.running_longer_than(seconds, self._clock())

    def state(self) -> PoolState:
        """The pool now."""
        pool = self._engine.pool
        queue = pool if isinstance(pool, QueuePool) else None
        return PoolState(
            name=self.name,
            size=queue.size() if queue else None,
            max_overflow=queue._max_overflow if queue else None,  # noqa: SLF001 -- nothing public tells it
            checked_out=self.registry.out,
            idle=self.registry.idle,
            pending=len(self._waiting),
            timeouts_total=self._recorder.timeouts_total,
        )

    def observation(self) -> PoolObservation:
        """All that is known. It names lines of code and backends: for the operator only."""
        now, wall = self._clock(), datetime.now(UTC)
        return PoolObservation(
            schema_version=POOL_SCHEMA_VERSION,
            application=self._application,
            process=os.getpid(),
            taken_at=wall,
            pool=self.state(),
            window=self._recorder.recent(now),
            busiest=self._recorder.busiest(now),
            connections=self.registry.connections(now, wall),
        )

    def _connected(self, connection: object, entry: Any) -> None:
        self.registry.opened(entry)
        entry.info[_SESSION] = identify(entry.driver_connection)
        # The entry's own time of the calendar is all that tells when the making began.
        seconds = max(0.0, time.time() - entry.last_connect_time)
        self._recorder.created(self._clock(), seconds)
        self._listener.created(seconds)

    def _checked_out(self, connection: object, entry: ConnectionPoolEntry, proxy: object) -> None:
        session = entry.info.get(_SESSION, UNKNOWN)
        holding = Holding(self._clock(), entry.driver_connection, session, self._sites.find(), self._labels())
        entry.info[_HOLDING] = holding
        self.registry.put(entry, holding)

    def _came_back(self, connection: object, entry: ConnectionPoolEntry) -> None:
        holding = self.registry.take(entry)
        if holding is not None:
            entry.info.pop(_HOLDING, None)
            now = self._clock()
            self._recorder.held(now, now - holding.since)
            self._listener.held(now - holding.since)

    def _detached(self, connection: object, entry: ConnectionPoolEntry) -> None:
        self._closed(connection, entry)
        self._came_back(connection, entry)

    def _closed(self, connection: object, entry: ConnectionPoolEntry) -> None:
        self.registry.closed(entry)

    def _executing(self, connection: Connection, *_: object) -> None:
        _mark(connection, self._clock())

    def _executed(self, connection: Connection, *_: object) -> None:
        _mark(connection, None)

    def _failed(self, context: ExceptionContext) -> None:
        if context.connection is not None:
            _mark(context.connection, None)


class ObservedPool(Pool):
    """Goes before a pool's own class, and tells its observer what the pool's events do not."""

    observer: ClassVar[PoolObserver]

    def _do_get(self) -> ConnectionPoolEntry:
        return self.observer.obtain(super()._do_get)

    def _create_connection(self) -> ConnectionPoolEntry:
        self.observer.stop_waiting()
        return super()._create_connection()


def _mark(connection: Connection, executing_since: float | None) -> None:
    holding = connection.info.get(_HOLDING)
    if holding is not None:
        holding.executing_since = executing_since


def _begin_anew_in_child() -> None:
    for observer in list(_observers):
        observer.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
