"""Steps that migrations are made of: time-outs, and indexes built and dropped beside running traffic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context, op
from sqlalchemy import text

from app.db.ddl import read_sql

# A statement that needs a strong lock queues behind every open transaction, and everyone else queues behind
# it. Two seconds is a pause that users bear; a migration that does not get its lock in that time is run
# again later.
LOCK_TIMEOUT = "2s"
# Under such a lock only the catalogue is changed, in milliseconds. What takes longer does not belong there.
STATEMENT_TIMEOUT = "30s"
# Concurrent work blocks neither reads nor writes while it waits for older transactions to end, so it may
# wait long; but not for ever, since a forgotten transaction does not end.
CONCURRENT_LOCK_TIMEOUT = "5min"


def set_timeouts() -> None:
    """Begin a step that runs in the migration's transaction; the limits end with it."""
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")


@contextmanager
def concurrently() -> Iterator[None]:
    """Begin a step outside of any transaction, in which indexes are built and dropped beside running traffic.

    What is done in it stays done when a later part fails: write it so that it can be run again. A script
    (`--sql`) cannot look at the database as it goes, so it ends the step with a check that stops at an
    invalid index.
    """
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = '{CONCURRENT_LOCK_TIMEOUT}'")
        op.execute("SET statement_timeout = 0")
        yield
        if context.is_offline_mode():
            op.execute(read_sql("require_valid_indexes.sql"))


def create_index(name: str, table: str, columns: list[str], **options: Any) -> None:
    """Build an index, unless it stands already. Columns are SQL texts, `options` those of `op.create_index`.

    An interrupted build leaves an invalid index under the name, which IF NOT EXISTS would take for the real
    one: it is dropped first.
    """
    if not context.is_offline_mode() and _is_invalid(name):
        drop_index(name)
    op.create_index(
        name,
        table,
        [text(column) for column in columns],
        postgresql_concurrently=True,
        if_not_exists=True,
        **options,
    )


def drop_index(name: str) -> None:
    """Drop an index, also one that an interrupted run left half dropped or took away altogether."""
    op.drop_index(name, postgresql_concurrently=True, if_exists=True)


def _is_invalid(index: str) -> bool:
    query = text(read_sql("index_is_invalid.sql"))
    return bool(op.get_bind().scalar(query, {"index": index}))
