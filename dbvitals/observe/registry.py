"""Who holds which connection of a pool, since when, and from which line of the code."""

import weakref
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from dbvitals.observe.drivers import Session, in_transaction
from dbvitals.observe.site import Frame
from dbvitals.snapshot_pool import HeldConnection


class Labels(NamedTuple):
    """For which route and which tenant a connection is taken. Neither may say who the tenant or a guest is."""

    route: str | None = None
    tenant_hash: str | None = None


class Holding:
    """A connection that is checked out. `since` and `executing_since` are the monotonic clock's."""

    __slots__ = ("driver", "executing_since", "labels", "session", "since", "site")

    def __init__(self, since: float, driver: object, session: Session, site: tuple[Frame, ...], labels: Labels) -> None:
        self.since = since
        self.driver = driver
        self.session = session
        self.site = site
        self.labels = labels
        self.executing_since: float | None = None


class Registry:
    """The connections that are open, and those that are out, each by the pool's own entry for it.

    Of one connection there is one entry, however often a checkout is announced, and taking out what is not in is
    nothing: so the count cannot drift, whichever of the ways a connection comes back.
    """

    def __init__(self) -> None:
        self._holdings: dict[Any, Holding] = {}
        # Weak, because nothing tells when a connection goes that came back to a pool which was disposed of meanwhile.
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def out(self) -> int:
        """How many are out."""
        return len(self._holdings)

    @property
    def idle(self) -> int:
        """How many are open and not out."""
        return max(0, len(self._open) - len(self._holdings))

    def opened(self, entry: object) -> None:
        """An entry has a new connection."""
        self._open.add(entry)

    def closed(self, entry: object) -> None:
        """An entry has lost its connection."""
        self._open.discard(entry)

    def put(self, entry: object, holding: Holding) -> None:
        """A connection goes out."""
        self._holdings[entry] = holding

    def take(self, entry: object) -> Holding | None:
        """A connection comes back; None for one that is not known to be out."""
        return self._holdings.pop(entry, None)

    def running_longer_than(self, seconds: float, now: float) -> int:
        """On how many connections a statement runs for longer."""
        started = [holding.executing_since for holding in self._all()]
        return sum(1 for moment in started if moment is not None and now - moment > seconds)

    def idle_in_transaction(self) -> int:
        """On how many connections a transaction is open and no statement runs."""
        waiting = [holding for holding in self._all() if holding.executing_since is None]
        return sum(1 for holding in waiting if in_transaction(holding.driver))

    def connections(self, now: float, wall: datetime) -> tuple[HeldConnection, ...]:
        """All that are out, the longest held first. `wall` is what the calendar says at `now`."""
        ordered = sorted(self._all(), key=lambda holding: holding.since)
        return tuple(_seen(holding, max(0.0, now - holding.since), wall) for holding in ordered)

    def _all(self) -> list[Holding]:
        """A copy in one step, since other threads go on."""
        return list(self._holdings.values())


def _seen(holding: Holding, seconds: float, wall: datetime) -> HeldConnection:
    frames = [str(frame) for frame in holding.site]
    return HeldConnection(
        backend_pid=holding.session.backend_pid,
        local_port=holding.session.local_port,
        checked_out_at=wall - timedelta(seconds=seconds),
        seconds=seconds,
        site=frames[0] if frames else None,
        callers=tuple(frames[1:]),
        route=holding.labels.route,
        tenant_hash=holding.labels.tenant_hash,
    )
