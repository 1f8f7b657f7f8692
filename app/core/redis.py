"""Redis as the service uses it: settings, names of keys, and a client that does without a server that is away."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.errors import Unavailable

T = TypeVar("T")
Otherwise = TypeVar("Otherwise")

logger = logging.getLogger(__name__)

SCHEMES = ("redis", "rediss", "unix")
PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
AWAY = (RedisConnectionError, RedisTimeoutError, OSError)
"""What is raised when no answer came; OSError holds `asyncio.timeout`'s TimeoutError too."""


class RedisSettings(BaseSettings):
    """Where Redis is and how long it is waited for. Immutable; no secret appears in a repr or in an error."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    redis_url: SecretStr | None = Field(default=None, description="redis://, rediss:// or unix://; wins over the parts")
    redis_host: str = Field(default="localhost", min_length=1, description="Redis host name")
    redis_port: int = Field(default=6379, ge=1, le=65535, description="Redis port")
    redis_password: SecretStr | None = Field(default=None, description="Its password")
    redis_db: int = Field(default=0, ge=0, description="Database number")
    redis_tls: bool = Field(default=False, description="Speak TLS, and check the server's certificate")
    redis_tls_ca: Path | None = Field(default=None, description="Certificates to trust; by default the system's")
    redis_max_connections: int = Field(default=50, ge=1, description="Connections of one process")
    redis_timeout: float = Field(default=0.5, gt=0, description="Seconds that one call may take, connecting included")
    redis_away_first: float = Field(default=0.1, gt=0, description="Seconds without a try after the first failure")
    redis_away_longest: float = Field(default=5.0, gt=0, description="The most seconds between two tries")
    redis_key_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Keys the hashes in keys' names, the same in all processes; without it short texts can be guessed",
    )

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value and urlsplit(value.get_secret_value()).scheme not in SCHEMES:
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @property
    def address(self) -> SecretStr:
        """The server's URL, with the password."""
        if self.redis_url:
            return self.redis_url
        password = f":{quote(self.redis_password.get_secret_value(), safe='')}@" if self.redis_password else ""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        scheme = "rediss" if self.redis_tls else "redis"
        return SecretStr(f"{scheme}://{password}{host}:{self.redis_port}/{self.redis_db}")


class Family(StrEnum):
    """The seven families of keys; a key is its family, a colon, and parts joined by colons."""

    AVAILABILITY = "availability"
    SESSION = "session"
    LOCK = "lock"
    RATE_LIMIT = "rate_limit"
    CIRCUIT_BREAKER = "circuit_breaker"
    TENANT = "tenant"
    PMS_CACHE = "pms_cache"

    @property
    def pattern(self) -> str:
        """What SCAN and the cache analysis match the family by."""
        return f"{self.value}:*"


class Keys:
    """Makes the names of keys. What a guest wrote or is known by goes into `private`, and appears only as a hash."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = hashlib.sha256(secret.get_secret_value().encode()).digest()

    def make(self, family: Family, *plain: UUID | date | int | str, private: Sequence[str] = ()) -> str:
        """Join a key. Raises ValueError for a plain text that is not a short lower-case name of our own."""
        parts = [_plain(part) for part in plain]
        return ":".join([family.value, *parts, *([self.digest(*private)] if private else [])])

    def digest(self, *private: str) -> str:
        """Give 128 bits of a keyed hash of the texts, in hexadecimal."""
        # The lengths keep ("a", "bc") and ("ab", "c") apart; a lone surrogate is hashed as it is.
        told = "".join([f"{len(text)}:{text}" for text in private]).encode(errors="surrogatepass")
        return hashlib.blake2b(told, key=self._secret, digest_size=16).hexdigest()


def _plain(part: UUID | date | int | str) -> str:
    if isinstance(part, str) and not PLAIN.fullmatch(part):
        raise ValueError("a part of a key's name that is no plain name must be given as private")
    return str(part)


class RedisUnavailableError(Unavailable):
    """Redis gave no answer, or refused; the caller does without."""


class _BackOff:
    """Says who may try a server that gave no answer: one caller, after pauses that double."""

    def __init__(self, settings: RedisSettings, clock: Callable[[], float], random: Random) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random
        self._epoch = 0
        self._pause = 0.0
        self._next_try = 0.0

    @property
    def away(self) -> bool:
        return self._pause > 0

    def ticket(self) -> int | None:
        """Give a ticket for one call; None when the server is away and it is not this caller who tries."""
        if not self.away:
            return self._epoch
        now = self._clock()
        if now < self._next_try:
            return None
        # Should this caller be cancelled before it knows, the next one tries after the time a call takes.
        self._next_try = now + self._settings.redis_timeout
        self._epoch += 1
        return self._epoch

    def answered(self, ticket: int) -> None:
        if ticket == self._epoch:
            self._pause = 0.0

    def lost(self, ticket: int) -> bool:
        """Note a failure; False for one of many calls that failed together, of which only the first counts."""
        if ticket != self._epoch:
            return False
        self._epoch += 1
        doubled = max(2 * self._pause, self._settings.redis_away_first)
        self._pause = min(doubled, self._settings.redis_away_longest)
        # Processes that lost the server together do not come back together.
        self._next_try = self._clock() + self._pause * self._random.uniform(0.5, 1.0)
        return True


class RedisClient:
    """A pool of connections. Every call ends within `redis_timeout`, and at once while the server is known to be away.

    A connection that turns out dead is replaced, and the command sent again, once: commands and scripts given to
    `run` must bear being run twice.
    """

    def __init__(
        self, settings: RedisSettings, *, clock: Callable[[], float] = time.monotonic, random: Random | None = None
    ) -> None:
        self._timeout = settings.redis_timeout
        self._back_off = _BackOff(settings, clock, random or Random())  # noqa: S311 - spreads tries, hides nothing
        self._pool = _pool(settings)
        # redis-py's own blocking pool costs half of a GET again; here a call takes one connection at a time.
        self._free = asyncio.Semaphore(settings.redis_max_connections)
        self._redis = Redis(connection_pool=self._pool)
        self._refusal = ""

    @property
    def pool(self) -> ConnectionPool:
        """The connections, for a library that brings a client of its own; its calls go through `run` as well."""
        return self._pool

    @property
    def away(self) -> bool:
        """Whether the last call that was tried got no answer."""
        return self._back_off.away

    def script(self, path: Path) -> AsyncScript:
        """Prepare a Lua script; it is sent when the server does not have it yet."""
        return self._redis.register_script(path.read_text(encoding="utf-8"))

    async def run(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """Give what the command gives. Raises RedisUnavailableError."""
        ticket = self._back_off.ticket()
        if ticket is None:
            raise RedisUnavailableError("Redis is away")
        try:
            async with asyncio.timeout(self._timeout), self._free:
                answer = await command(self._redis)
        except AWAY as error:
            self._note_loss(ticket, error)
            raise RedisUnavailableError("Redis gave no answer") from error
        except RedisError as error:  # it answered, if with an error: out of memory, a key of another type
            self._back_off.answered(ticket)
            self._note_refusal(error)
            raise RedisUnavailableError("Redis refused the command") from error
        self._back_off.answered(ticket)
        return answer

    async def run_or(self, otherwise: Otherwise, command: Callable[[Redis], Awaitable[T]]) -> T | Otherwise:
        """Give what the command gives, or `otherwise` when Redis is unavailable."""
        try:
            return await self.run(command)
        except RedisUnavailableError:
            return otherwise

    async def ping(self) -> bool:
        """Whether Redis answers; False at once while it is known to be away."""
        return await self.run_or(False, _ping)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        await self._pool.aclose()

    def _note_loss(self, ticket: int, error: Exception) -> None:
        was_away = self.away
        if self._back_off.lost(ticket) and not was_away:
            logger.warning("Redis is away, the service goes on without it: %s", type(error).__name__)

    def _note_refusal(self, error: RedisError) -> None:
        """Log a refusal when its kind is new: a server out of memory refuses thousands of times a second."""
        if (kind := type(error).__name__) != self._refusal:
            self._refusal = kind
            logger.warning("Redis refuses commands, the service goes on without them: %s: %s", kind, error)


async def _ping(redis: Redis) -> bool:
    return bool(await redis.ping())


def _pool(settings: RedisSettings) -> ConnectionPool:
    url = settings.address.get_secret_value()
    options: dict[str, object] = {}
    if url.startswith("rediss:") and settings.redis_tls_ca:
        options["ssl_ca_certs"] = str(settings.redis_tls_ca)
    return ConnectionPool.from_url(
        url,
        max_connections=settings.redis_max_connections,
        # `run` bounds every call; redis-py's own time-out swallows a cancellation that comes together with the
        # answer (its wait_for on Python 3.11), and the task then never ends.
        socket_timeout=None,
        socket_connect_timeout=settings.redis_timeout,
        # Once, at once, on a dead connection only: after a time-out a second try would double the wait.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        protocol=2,  # version 3 adds only push messages, which nothing here reads
        client_name="agente-hotelero",
        **options,
    )
