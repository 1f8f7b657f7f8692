"""All settings of a running service, in one object."""

from pathlib import Path

from pydantic import Field

from app.core.redis import RedisSettings
from app.core.settings import Settings
from app.services.pms import PmsSettings


class ServiceSettings(Settings, RedisSettings, PmsSettings):
    """What the service is told from outside: PostgreSQL, Redis, the PMS, and how it serves HTTP."""

    http_largest_body: int = Field(default=64 * 1024, ge=1024, description="Bytes that a request's body may have")
    http_body_timeout: float = Field(default=10, gt=0, description="Seconds in which a body must have arrived")
    http_shutdown_timeout: int = Field(default=30, ge=1, description="Seconds in which requests finish at the end")
    audit_spool: Path = Field(
        default=Path(".spool/audit"), description="File that keeps audit events while PostgreSQL is away"
    )

    @property
    def direct(self) -> Settings | None:
        """The same database with no PgBouncer in between; None where its address is not set."""
        if not self.postgres_pgbouncer:
            return self
        if self.postgres_direct is None:
            return None
        host, _, port = self.postgres_direct.rpartition(":")
        address = {"postgres_host": host, "postgres_port": int(port), "postgres_pgbouncer": False}
        return self.model_copy(update=address)
