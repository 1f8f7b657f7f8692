"""Settings of the service, read from the environment and from .env."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL


class Settings(BaseSettings):
    """What the service is told from outside. Immutable; no secret appears in a repr or in an error."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    postgres_host: str = Field(default="localhost", description="PostgreSQL host name or socket directory")
    postgres_port: int = Field(default=5432, ge=1, le=65535, description="PostgreSQL port")
    postgres_user: str | None = Field(default=None, description="PostgreSQL role; by default libpq's")
    postgres_password: SecretStr | None = Field(default=None, description="Its password; by default libpq's")
    postgres_db: str = Field(default="agente_hotel", min_length=1, description="PostgreSQL database")
    postgres_pool_size: int = Field(default=10, ge=1, description="SQLAlchemy pool size")
    postgres_max_overflow: int = Field(default=20, ge=0, description="Max overflow connections")
    postgres_pool_timeout: int = Field(default=30, ge=1, description="Pool timeout in seconds")

    @property
    def postgres_url(self) -> URL:
        """The database's address for the service's driver; printing it hides the password."""
        password = self.postgres_password
        return URL.create(
            "postgresql+asyncpg",
            username=self.postgres_user,
            password=password.get_secret_value() if password else None,
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )
