"""The demo's own PostgreSQL and Redis, and where a user finds them."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from dbvitals.sandbox import PostgresServer, RedisServer, start_postgres, start_redis
from demo.queries import load

DATABASE = "agente_hotel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both servers, with an empty database in the one and none but empty databases in the other."""

    postgres: PostgresServer
    redis: RedisServer

    @property
    def dsn(self) -> str:
        """The hotel's database; over the private socket, which asks for no password."""
        return self.postgres.dsn(DATABASE)

    def addresses(self) -> tuple[str, ...]:
        """Lines that say how to connect, and how to call the guide's script."""
        host, port = shlex.quote(self.postgres.host), self.postgres.port
        login = f"--host {host} --port {port} --user postgres --database {DATABASE}"
        return (
            f"PostgreSQL  {self.dsn}",
            f"Redis       {self.redis.url}",
            f"            ./scripts/validate_indexes.sh {login}",
            f"            REDIS_URL={self.redis.url} python scripts/analyze_redis_cache.py",
        )


@contextmanager
def running(home: Path | None) -> Iterator[Servers]:
    """Start both, on throw-away data or on what `home` keeps; end them whatever happens in between.

    Raises SandboxError when one does not start.
    """
    with (
        start_postgres(home=home / "postgres" if home else None) as postgres,
        start_redis(home=home / "redis" if home else None) as cache,
    ):
        servers = Servers(postgres=postgres, redis=cache)
        _empty(servers)
        yield servers


def _empty(servers: Servers) -> None:
    """Make the database anew: a kept one holds what the last demo left."""
    name = sql.Identifier(DATABASE)
    with psycopg.connect(servers.postgres.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(load("setup/extension"))
    with redis.Redis.from_url(servers.redis.url) as client:
        client.flushall()
