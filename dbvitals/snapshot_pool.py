"""What one process of an application says of its connection pool: figures, times, and who holds a connection."""

from datetime import datetime

from msgspec import Struct

POOL_SCHEMA_VERSION = "1.0"
# Arrivals are counted in slots, whose fullest makes the peak: a pool of some connections fills in seconds, and shorter
# slots would call every hiccup a peak. In a slot, bins as long as connections are typically held tell of bursts.
SLOT_SECONDS = 10.0
BINS_IN_SLOT = 100


class Durations(Struct, frozen=True, kw_only=True):
    """A histogram of seconds. `counts[i]` lie above `bounds[i - 1]` and at or below `bounds[i]`.

    The last count, one more than there are bounds, is of those above the highest bound. `sum`, `sum_of_squares` and
    `maximum` are of the exact values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float = 0.0
    sum_of_squares: float = 0.0
    maximum: float = 0.0

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Seconds; None without any."""
        return self.sum / self.count if self.count else None

    @property
    def squared_variation(self) -> float | None:
        """Variance over the squared mean (CV²): 1 for exponential times, 0 for constant ones; None where undefined."""
        mean = self.mean
        if not mean:
            return None
        return max(0.0, self.sum_of_squares / self.count / mean**2 - 1)

    def above(self, seconds: float) -> int:
        """How many lie surely above: those of the buckets that begin at `seconds` or later."""
        return sum(self.counts[i + 1] for i, bound in enumerate(self.bounds) if bound >= seconds)


class PoolState(Struct, frozen=True, kw_only=True):
    """A pool at one moment. `size` and `max_overflow` are as configured, None for a pool that has none (NullPool).

    As in SQLAlchemy, `size` 0 and `max_overflow` -1 both mean that the pool has no limit. `timeouts_total` counts since
    the process began.
    """

    name: str
    size: int | None
    max_overflow: int | None
    checked_out: int
    idle: int
    pending: int
    timeouts_total: int

    @property
    def capacity(self) -> int | None:
        """The most connections that may be out at once; None without a limit."""
        if not self.size or self.max_overflow is None or self.max_overflow < 0:
            return None
        return self.size + self.max_overflow


class PoolWindow(Struct, frozen=True, kw_only=True):
    """What happened from `since` on, for `seconds`.

    `checkouts` are the connections asked for, those that timed out included: arrivals, not what the pool let through.
    `wait` is from asking to having (or giving up), without the making of a connection, which `create` has; `hold` is
    from having to giving back. `arrivals_per_second_peak` is the highest mean over one of the window's slots;
    `arrival_variation` the variance over the mean of the arrivals in a bin, around the mean of its slot: 1 when they
    come independently, more when in bursts; None before a slot has ended.
    """

    since: datetime
    seconds: float
    checkouts: int
    timeouts: int
    wait: Durations
    hold: Durations
    create: Durations
    arrivals_per_second_peak: float
    arrival_variation: float | None = None


class HeldConnection(Struct, frozen=True, kw_only=True):
    """A connection that is checked out, since when, and where in the code.

    `site` is `file:line function` of the innermost frame of the application, `callers` the frames around it, nearest
    first. Behind PgBouncer `backend_pid` is a number of PgBouncer's own making: `local_port` is what finds the session
    there (SHOW CLIENTS). `local_port` is None on a Unix socket.
    """

    backend_pid: int | None
    local_port: int | None
    checked_out_at: datetime
    seconds: float
    site: str | None = None
    callers: tuple[str, ...] = ()
    route: str | None = None
    tenant_hash: str | None = None


class PoolObservation(Struct, frozen=True, kw_only=True):
    """What GET /ops/connections answers: one pool of one process. `connections` begin with the longest held.

    `window` is the last minutes, `busiest` the window of the last day with the most work in it; None until a window of
    full length has ended.
    """

    schema_version: str
    application: str
    process: int
    taken_at: datetime
    pool: PoolState
    window: PoolWindow
    busiest: PoolWindow | None = None
    connections: tuple[HeldConnection, ...] = ()
