"""Builds traps on a server and tries proofs on them; every trial is rolled back."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from tests.integration.traps.case import Trap
from tests.integration.traps.plans import Access, access

Connection = psycopg.Connection[Any]
EXTENSIONS = ("bloom", "btree_gin", "btree_gist", "citext", "pg_trgm")

# Every index that is not attached to a partitioned one, with the statement that really removes it.
REMOVALS = """
    SELECT c.relname,
           CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s CASCADE', c.oid::regclass)
                ELSE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', k.conrelid::regclass, k.conname) END
    FROM pg_index x
    JOIN pg_class c ON c.oid = x.indexrelid
    LEFT JOIN pg_constraint k
      ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND NOT c.relispartition
    ORDER BY c.relname
"""

ROOT = """
    WITH RECURSIVE up AS (
        SELECT c.oid FROM pg_class c
        WHERE c.relname = %s AND c.relnamespace = quote_ident(current_schema())::regnamespace
        UNION ALL
        SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid
    )
    SELECT c.relname FROM up JOIN pg_class c USING (oid) WHERE NOT c.relispartition
"""


def obstacle(connection: Connection, trap: Trap) -> str | None:
    """Why a trap cannot be laid on this server, None when it can."""
    major = connection.info.server_version // 10000
    if major < trap.since:
        return f"PostgreSQL {trap.since} and later only"
    if trap.extension and not _any(connection, "SELECT FROM pg_available_extensions WHERE name = %s", [trap.extension]):
        return f"this server was built without {trap.extension}"
    if trap.icu and not _any(connection, "SELECT FROM pg_collation WHERE collname = 'und-x-icu'", []):
        return "this server was built without ICU"
    return None


def install_extensions(connection: Connection) -> None:
    """Create those extensions that the server has; traps that need another are skipped."""
    rows = connection.execute("SELECT name FROM pg_available_extensions WHERE name = ANY (%s)", [list(EXTENSIONS)])
    for (name,) in rows.fetchall():
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(name)))


def lay(connection: Connection, trap: Trap) -> None:
    """Make a trap's schema, fill it, and let the planner know it."""
    # VACUUM marks no page all-visible whose commit has not reached the disk: no index-only scans then.
    connection.execute("SET synchronous_commit = on")
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(trap.name)))
    enter(connection, trap)
    for statement in trap.setup:
        connection.execute(statement)
    tables = connection.execute(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'm')"
    )
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables.fetchall())
    connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(names))


def enter(connection: Connection, trap: Trap) -> None:
    """Make the trap's schema the current one."""
    connection.execute(sql.SQL("SET search_path = {}, public").format(sql.Identifier(trap.name)))


@contextmanager
def trial(connection: Connection) -> Iterator[None]:
    """Whatever happens inside is undone."""
    with connection.transaction(force_rollback=True):
        yield


def indexes(connection: Connection) -> dict[str, str]:
    """Names of the current schema's indexes (attached ones belong to their root), and what removes each."""
    return dict(connection.execute(REMOVALS).fetchall())


def root(connection: Connection, index: str) -> str:
    """The index itself, or the topmost partitioned index that it is a part of."""
    row = connection.execute(ROOT, [index]).fetchone()
    assert row is not None, f"no index {index}"
    return str(row[0])


def remove(connection: Connection, names: Iterable[str]) -> None:
    """Really drop indexes, with the constraints that they back."""
    for name in sorted({root(connection, name) for name in names}):
        connection.execute(indexes(connection)[name])


def isolate(connection: Connection, index: str) -> None:
    """Drop every other index of the schema."""
    remove(connection, set(indexes(connection)) - {root(connection, index)})


def ability(connection: Connection, query: str, index: str) -> Access:
    """The plan of a query when the planner may not dodge the indexes, judged by what this index's method can do."""
    row = connection.execute(
        "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
        " WHERE c.relname = %s AND c.relnamespace = quote_ident(current_schema())::regnamespace",
        [index],
    ).fetchone()
    assert row is not None, f"no index {index}"
    return plan_with(connection, query, bitmaps=row[0] in {"gin", "brin", "bloom"})


def plan_with(connection: Connection, query: str, *, bitmaps: bool) -> Access:
    """The plan of a query when sequential scans and sorts are to be avoided."""
    connection.execute("SET LOCAL enable_seqscan = off")
    connection.execute("SET LOCAL enable_sort = off")
    connection.execute(f"SET LOCAL enable_bitmapscan = {'on' if bitmaps else 'off'}")
    return access(connection, query)


def result(connection: Connection, query: str) -> object:
    """A query's rows: in order when it asks for one, else as a bag."""
    rows = connection.execute(query).fetchall()
    return rows if "ORDER BY" in query else Counter(rows)


def outcome(connection: Connection, statement: str) -> str | None:
    """SQLSTATE with which the server refuses a statement, None when it accepts it. The statement is undone."""
    try:
        with trial(connection):
            connection.execute(statement)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        return error.sqlstate
    return None


def _any(connection: Connection, query: str, parameters: list[str]) -> bool:
    return connection.execute(query, parameters).fetchone() is not None
