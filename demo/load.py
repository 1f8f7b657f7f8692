"""Loads the hotel into a migrated database, by COPY."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
from psycopg import sql

from demo.hotel import Stream, streams
from demo.scale import Scale

Progress = Callable[[str], None]

# A throw-away server commits asynchronously, and VACUUM takes no page for visible to all whose rows' commit has not
# reached the disk. On a server without fsync this costs nothing.
OPTIONS = "-c synchronous_commit=on"


def load(dsn: str, scale: Scale, seed: int, until: datetime, tell: Progress) -> int:
    """Load every table and gather its statistics; gives the count of rows. `tell` hears what is being done."""
    rows = 0
    with psycopg.connect(dsn, autocommit=True, options=OPTIONS) as connection:
        for stream in streams(scale, seed, until):
            _copy(connection, stream, tell)
            rows += stream.rows
        tell("vacuuming")
        connection.execute("VACUUM (ANALYZE)")
    return rows


def _copy(connection: psycopg.Connection, stream: Stream, tell: Progress) -> None:
    table = sql.Identifier(stream.table)
    columns = sql.SQL(", ").join(map(sql.Identifier, stream.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)
    sent = 0
    with _without_triggers(connection, table), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in stream.blocks():
            copy.write(block)
            sent += block.count(b"\n")
            tell(f"loading {stream.table}: {sent:,} of {stream.rows:,} rows")


@contextmanager
def _without_triggers(connection: psycopg.Connection, table: sql.Identifier) -> Iterator[None]:
    """Load in a transaction that leaves the table's own triggers out: the year brings its audit trail along.

    Foreign keys are still checked.
    """
    with connection.transaction():
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        yield
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))
