"""Settings of the service, read from the environment and from .env."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
# A token this long and random cannot be guessed; a shorter one is most likely a word.
SHORTEST_TOKEN = 20


class Settings(BaseSettings):
    """What the service is told from outside. Immutable; no secret appears in a repr or in an error."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    postgres_host: str = Field(default="localhost", description="PostgreSQL host name or socket directory")
    postgres_port: int = Field(default=5432, ge=1, le=65535, description="PostgreSQL port")
    postgres_user: str | None = Field(default=None, description="PostgreSQL role; by default libpq's")
    postgres_password: SecretStr | None = Field(default=None, description="Its password; by default libpq's")
    postgres_db: str = Field(default="agente_hotel", min_length=1, description="PostgreSQL database")
    postgres_sslmode: SslMode = Field(default="prefer", description="TLS to PostgreSQL, as libpq names it")
    postgres_sslrootcert: str | None = Field(
        default=None, description="Authorities that verify-ca and verify-full trust"
    )
    postgres_pool_size: int = Field(default=10, ge=1, description="SQLAlchemy pool size")
    postgres_max_overflow: int = Field(default=20, ge=0, description="Max overflow connections")
    postgres_pool_timeout: int = Field(default=30, ge=1, description="Pool timeout in seconds")
    postgres_processes: int = Field(default=1, ge=1, description="Processes of the service, each with its own pool")
    postgres_pool_strict: bool = Field(
        default=False, description="Refuse to start when the pools together can exceed the server's limits"
    )
    postgres_pgbouncer: bool = Field(default=False, description="The address is PgBouncer's, in transaction mode")
    postgres_direct: str | None = Field(
        default=None,
        pattern=r"^\S+:[0-9]{1,5}$",
        description="With PgBouncer: host:port of PostgreSQL itself, for changes that it announces",
    )
    postgres_connect_timeout: float = Field(default=10, gt=0, description="Seconds to wait for a new connection")
    postgres_statement_timeout: float = Field(default=15, gt=0, description="Seconds that a statement may take")
    postgres_idle_in_transaction_timeout: float = Field(
        default=30, gt=0, description="Seconds that a transaction may stand idle before the server ends it"
    )
    postgres_admin_user: str | None = Field(
        default=None, description="PostgreSQL role for work on all tenants, a member of hotel_admin"
    )
    postgres_admin_password: SecretStr | None = Field(default=None, description="Its password; by default libpq's")
    postgres_admin_pool_size: int = Field(default=2, ge=1, description="Connections for work on all tenants")
    admin_token: SecretStr | None = Field(
        default=None, min_length=SHORTEST_TOKEN, description="Bearer token of the operator; without it there is none"
    )
    metrics_token: SecretStr | None = Field(
        default=None, min_length=SHORTEST_TOKEN, description="Bearer token for /metrics; without it all may read them"
    )
    log_level: LogLevel = Field(default="info", description="The least that is logged")

    @property
    def postgres_url(self) -> URL:
        """The database's address for the service's driver; printing it hides the password."""
        return self._url(self.postgres_user, self.postgres_password)

    @property
    def postgres_admin_url(self) -> URL | None:
        """The same for work on all tenants; None where no role for it is set."""
        if self.postgres_admin_user is None:
            return None
        return self._url(self.postgres_admin_user, self.postgres_admin_password)

    def _url(self, user: str | None, password: SecretStr | None) -> URL:
        return URL.create(
            "postgresql+asyncpg",
            username=user,
            password=password.get_secret_value() if password else None,
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )
