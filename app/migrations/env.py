"""Alembic's environment: which database the migrations run on, and how.

The database is that of `config.attributes["dsn"]` or `-x dsn=…` (anything that libpq takes), else the one
that the service's settings name.
"""

from logging.config import fileConfig
from typing import Any

import psycopg
from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Engine, Table, Text, create_engine
from sqlalchemy.pool import NullPool

from app.core.settings import Settings
from app.db.tables import metadata


class TextVersionImpl(PostgresqlImpl):
    """Alembic's PostgreSQL, with text in the version table too, where Alembic has VARCHAR(32)."""

    __dialect__ = "postgresql"

    def version_table_impl(self, **options: Any) -> Table:
        """Word the version table."""
        table = super().version_table_impl(**options)
        table.c.version_num.type = Text()
        return table


def make_engine() -> Engine:
    """Make an engine for the database that was asked for."""
    dsn = context.config.attributes.get("dsn") or context.get_x_argument(as_dictionary=True).get("dsn")
    if isinstance(dsn, str):
        return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    return create_engine(Settings().postgres_url.set(drivername="postgresql+psycopg"), poolclass=NullPool)


def run_offline() -> None:
    """Write the migrations as a script for psql."""
    context.configure(
        dialect_name="postgresql",
        target_metadata=metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},  # a % in SQL stays one
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations, each in a transaction of its own."""
    with make_engine().connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

if context.is_offline_mode():
    run_offline()
else:
    run_online()
