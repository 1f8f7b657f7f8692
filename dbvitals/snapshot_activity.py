"""What was seen of a server's sessions: frozen values. Collectors make them, analysers read them."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dbvitals.model import Skipped


class ActivityServer(Struct, frozen=True, kw_only=True):
    """Which server was looked at, what it allows, and who looked. Limits are connections, None where there is none.

    `sees_all` tells whether the login may see into other roles' sessions (pg_read_all_stats). `check_interval` is
    client_connection_check_interval in seconds: 0 means that the server does not notice a client that goes away while
    its query runs.
    """

    version_num: int
    version: str
    host: str
    port: int
    database: str
    user: str
    role: Literal["primary", "replica"]
    taken_at: datetime
    started_at: datetime | None
    pid: int
    pooled: bool
    """The connection goes through a pooler: the server process differs from the one that the pooler named."""
    sees_all: bool
    max_connections: int
    reserved_connections: int
    """For superusers, and since 16 for pg_use_reserved_connections: nobody else gets them."""
    database_limit: int | None
    role_limits: dict[str, int] = {}
    check_interval: float = 0.0
    idle_in_transaction_timeout: float = 0.0
    query_size: int = 1024
    """Bytes that the server keeps of a query's text."""

    @property
    def major(self) -> int:
        """Major version, as in 15."""
        return self.version_num // 10000


class Session(Struct, frozen=True, kw_only=True):
    """A server process that does a client's work, or stands in the way of one that does.

    Durations are seconds by the server's clock. `state` is None when the login may not see it. `query` is raw, None
    for an idle session: what it did last holds nobody up. `blocked_by` are process ids as pg_blocking_pids gives them,
    0 for a prepared transaction. `mine` tells that it belongs to the pool in question.
    """

    pid: int
    backend_type: str | None
    mine: bool
    database: str | None
    user: str | None
    application_name: str
    client_address: str | None
    client_port: int | None
    state: str | None
    backend_start: datetime | None
    state_change: datetime | None
    state_seconds: float | None
    transaction_seconds: float | None
    query_seconds: float | None
    wait_event_type: str | None
    wait_event: str | None
    has_xid: bool = False
    xmin_age: int | None = None
    query: str | None = None
    query_id: int | None = None
    blocked_by: tuple[int, ...] = ()
    client_gone: bool | None = None
    """The client's end of the connection is closed; None where that cannot be seen."""


class AwaitedLock(Struct, frozen=True, kw_only=True):
    """A lock that `pid` waits for; `holder` says who has it when that is a prepared transaction (its gid)."""

    pid: int
    target: str
    mode: str
    waited_seconds: float | None
    prepared_gids: tuple[str, ...] = ()


class HeldLock(Struct, frozen=True, kw_only=True):
    """A lock that `pid` holds and that somebody waits for."""

    pid: int
    target: str
    mode: str


class PreparedTransaction(Struct, frozen=True, kw_only=True):
    """A transaction that was prepared and is neither committed nor rolled back. It belongs to no session."""

    gid: str
    database: str
    owner: str
    seconds: float
    xid_age: int


class HorizonHolder(Struct, frozen=True, kw_only=True):
    """Who keeps VACUUM from removing rows: `age` is how many transactions ago the horizon stands."""

    kind: Literal["session", "prepared transaction", "replication slot", "standby"]
    name: str
    pid: int | None
    age: int


class DatabaseSessions(Struct, frozen=True, kw_only=True):
    """How many clients another database has."""

    database: str
    sessions: int


class ActivitySnapshot(Struct, frozen=True, kw_only=True):
    """The sessions of one moment. `sessions` are the clients of every database, by pid, without the tool's own.

    `hidden` counts those that the login cannot see into. `excluded` counts sessions left out by their application name.
    """

    server: ActivityServer
    sessions: tuple[Session, ...]
    awaited: tuple[AwaitedLock, ...] = ()
    held: tuple[HeldLock, ...] = ()
    prepared: tuple[PreparedTransaction, ...] = ()
    horizon: tuple[HorizonHolder, ...] = ()
    excluded: int = 0
    skipped: tuple[Skipped, ...] = ()
    statements: int = 0
    query_seconds: float = 0.0


class Probe(Struct, frozen=True, kw_only=True):
    """One cheap look: counts of the pool in question. What the login cannot see is None.

    `seconds` is when it was taken, since the watch began; `lock_waiters` are the
    processes of the whole server that wait for a lock, and
    `leaking` those that have been idle in their transaction for too long.
    """

    seconds: float
    taken_at: datetime
    server_sessions: int
    total: int
    active: int | None
    idle: int | None
    idle_in_transaction: int | None
    long_running: int | None
    blocked: int | None
    lock_waiters: tuple[int, ...] = ()
    leaking: tuple[int, ...] = ()
    took_seconds: float = 0.0


class Looked(Struct, frozen=True):
    """A cheap look was taken."""

    probe: Probe


class Detailed(Struct, frozen=True):
    """Details were read: of everybody at the beginning and when an interval ends, else of whoever is not idle.

    Seconds, here and below, since the watch began.
    """

    seconds: float
    snapshot: ActivitySnapshot
    of_everybody: bool
    ends_interval: bool


class Lost(Struct, frozen=True):
    """The server went away, or let us not come back (`full`). Process ids of before mean nothing any more."""

    seconds: float
    why: str
    full: bool


class Back(Struct, frozen=True):
    """The server is there again."""

    seconds: float


WatchEvent = Looked | Detailed | Lost | Back


class PgBouncerPool(Struct, frozen=True, kw_only=True):
    """A row of SHOW POOLS; None for a column that the version does not have. `max_wait_seconds`: the oldest waiter."""

    database: str
    user: str
    mode: str | None
    clients_active: int | None
    clients_waiting: int | None
    servers_active: int | None
    servers_idle: int | None
    servers_used: int | None
    max_wait_seconds: float | None
    size: int | None = None
    reserve: int | None = None


class PgBouncerLink(Struct, frozen=True, kw_only=True):
    """A client of PgBouncer that has a server connection right now: `server_pid` is the PostgreSQL process."""

    client_address: str
    client_port: int
    application_name: str
    database: str
    user: str
    server_pid: int


class PgBouncerSnapshot(Struct, frozen=True, kw_only=True):
    """What a PgBouncer's console says. `max_server_connections`: the most that it opens to the database in question."""

    address: str
    version: str
    pools: tuple[PgBouncerPool, ...]
    links: tuple[PgBouncerLink, ...]
    max_server_connections: int | None = None
