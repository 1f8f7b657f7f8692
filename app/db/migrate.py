"""Bring a database's schema to a revision, up or down."""

from alembic import command
from alembic.config import Config


def upgrade(dsn: str, revision: str = "head") -> None:
    """Migrate the database up to `revision`. `dsn` is anything that libpq takes.

    Safe to repeat: an interrupted run is taken up where it stopped. Raises SQLAlchemyError when the
    server cannot be reached, a lock is not had in time, or the run is interrupted.
    """
    command.upgrade(_config(dsn), revision)


def downgrade(dsn: str, revision: str) -> None:
    """Migrate the database down to `revision`, where `base` is an empty one. Raises as `upgrade` does."""
    command.downgrade(_config(dsn), revision)


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    config.attributes["dsn"] = dsn
    return config
