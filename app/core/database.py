"""The service's way to PostgreSQL: pools, and transactions that say for which tenant they are.

The tenant, the actor and the request travel in transaction-local settings, which the policies of row level
security and the audit trigger read. They end with the transaction, so none of them reaches the next user of
a pooled connection, and without them no row is seen.
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from sqlalchemy import URL, Executable, bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from app.core.database_errors import translate_errors, translated_checkout
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.core.tenancy import TenantScope, working_for

APPLICATION = "agente-hotelero"
# A connection is replaced after half an hour, so that memory which a backend gathers is given back and a
# moved address is noticed.
RECYCLE_SECONDS = 1800
# The client gives up later than the server, which stops the work too; it is for a server that says nothing.
CLIENT_GRACE_SECONDS = 5

LocalSettings = dict[str, str]


class ReadSession(AsyncSession):
    """Reads the rows of one tenant, in a READ ONLY transaction."""

    @property
    def scope(self) -> TenantScope:
        """For whom this transaction is."""
        found = self.info["scope"]
        assert isinstance(found, TenantScope)  # noqa: S101 - for the type checker
        return found


class WriteSession(ReadSession):
    """Reads and changes the rows of one tenant."""


class AdminSession(AsyncSession):
    """Reads and changes the rows of all tenants."""


AnySession = TypeVar("AnySession", bound=AsyncSession)


class AsyncSessionFactory:
    """Opens transactions on one engine, each with its settings."""

    def __init__(self, engine: AsyncEngine, always: LocalSettings) -> None:
        """`always` are the settings that every transaction begins with, beside its own."""
        self._engine = engine
        self._always = always

    @asynccontextmanager
    async def __call__(self, kind: type[AnySession], local: LocalSettings, **info: object) -> AsyncIterator[AnySession]:
        """Open a session whose transaction commits at the end, and rolls back at an error or cancellation."""
        async with kind(self._engine, expire_on_commit=False, info=info) as session, session.begin():
            with translated_checkout(), _told_for(info.get("scope")):
                connection = await session.connection()
            settings = self._always | local
            await connection.execute(_set_local(tuple(settings)), settings)
            yield session


@contextmanager
def _told_for(scope: object) -> Iterator[None]:
    before = working_for.set(scope if isinstance(scope, TenantScope) else None)
    try:
        yield
    finally:
        working_for.reset(before)


class Database:
    """The pools of one process, and the ways to use them."""

    def __init__(self, settings: Settings) -> None:
        """No connection is made before one is needed."""
        size, overflow = settings.postgres_pool_size, settings.postgres_max_overflow
        self.engine = _engine(settings, settings.postgres_url, size, overflow)
        admin = settings.postgres_admin_url
        self.admin_engine = _engine(settings, admin, settings.postgres_admin_pool_size, 0) if admin else None
        read_only = self.engine.execution_options(postgresql_readonly=True)
        # Between two statements without a transaction PgBouncer may change the server connection, and what
        # the first one prepared is not there for the second.
        self.hot = (
            read_only if settings.postgres_pgbouncer else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        always = _server_settings(settings) if settings.postgres_pgbouncer else {}
        self._read = AsyncSessionFactory(read_only, always)
        self._write = AsyncSessionFactory(self.engine, always)
        self._admin = AsyncSessionFactory(self.admin_engine, always) if self.admin_engine else None

    @asynccontextmanager
    async def read(self, scope: TenantScope) -> AsyncIterator[ReadSession]:
        """Read one tenant's rows. Raises Unavailable when no connection is had in time."""
        async with self._read(ReadSession, _local(scope), scope=scope) as session:
            yield session

    @asynccontextmanager
    async def unit_of_work(self, scope: TenantScope) -> AsyncIterator[WriteSession]:
        """Change one tenant's rows: all of it when the block ends well, else nothing.

        When the block has ended the changes are committed. Raises Conflict, Invalid or Unavailable as
        `app.core.database_errors` says, at the statement or at the end.
        """
        async with self._write(WriteSession, _local(scope), scope=scope) as session:
            yield session

    @asynccontextmanager
    async def admin(self, actor: str, request_id: str) -> AsyncIterator[AdminSession]:
        """Read and change the rows of all tenants, as the role that is set for it; commits like `unit_of_work`."""
        if self._admin is None:
            raise Unavailable("work on all tenants is not set up: POSTGRES_ADMIN_USER names no role")
        async with self._admin(AdminSession, {"app.actor": actor, "app.request_id": request_id}) as session:
            yield session

    async def close(self) -> None:
        """Close all connections that are not in use, and the others when they are given back."""
        await self.engine.dispose()
        if self.admin_engine is not None:
            await self.admin_engine.dispose()


def _local(scope: TenantScope) -> LocalSettings:
    return {"app.tenant_id": str(scope.tenant_id), "app.actor": scope.actor, "app.request_id": scope.request_id}


@cache
def _set_local(names: tuple[str, ...]) -> Executable:
    """One statement for all settings: SET LOCAL takes no parameters, and would be a round trip each."""
    return select(*(func.set_config(literal(name), bindparam(name), literal(value=True)) for name in names))


def _engine(settings: Settings, url: URL, size: int, overflow: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=settings.postgres_pool_timeout,
        pool_recycle=RECYCLE_SECONDS,
        pool_use_lifo=True,
        hide_parameters=True,
        json_deserializer=msgspec.json.decode,  # a fifth of json.loads' time, on every row of the audit trail
        connect_args=_connect_args(settings),
    )
    translate_errors(engine.sync_engine)
    return engine


def _connect_args(settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "ssl": _ssl(settings),
        "timeout": settings.postgres_connect_timeout,
        "command_timeout": settings.postgres_statement_timeout + CLIENT_GRACE_SECONDS,
        "server_settings": {"application_name": APPLICATION},
    }
    if settings.postgres_pgbouncer:
        # The next transaction may run on another server connection, where a name may be taken or missing.
        return arguments | {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"app_{uuid4().hex}",
        }
    arguments["server_settings"] |= _server_settings(settings)
    return arguments


def _server_settings(settings: Settings) -> LocalSettings:
    """What each session is limited to. PgBouncer refuses these at connect: there each transaction sets them."""
    return {
        "jit": "off",
        "statement_timeout": f"{settings.postgres_statement_timeout * 1000:.0f}ms",
        "idle_in_transaction_session_timeout": f"{settings.postgres_idle_in_transaction_timeout * 1000:.0f}ms",
    }


def _ssl(settings: Settings) -> ssl.SSLContext | str:
    """As libpq has it, but that verify-ca and verify-full trust the system's authorities where none are named."""
    if not settings.postgres_sslmode.startswith("verify"):
        return settings.postgres_sslmode
    context = ssl.create_default_context(cafile=settings.postgres_sslrootcert)
    context.check_hostname = settings.postgres_sslmode == "verify-full"
    return context
