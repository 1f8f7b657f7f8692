"""Rate limits over a sliding window, shared by all processes through `rate_limit:*`."""

import time
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.core.redis import PLAIN, Family, Keys, RedisClient, RedisUnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `amount` within any `seconds`; `name` keeps limits apart, as a plain lower-case name."""

    name: str
    amount: int
    seconds: int

    def __post_init__(self) -> None:
        if not PLAIN.fullmatch(self.name) or self.amount < 1 or self.seconds < 1:
            raise ValueError(f"no limit: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether this one is allowed; how many more are now; seconds until the oldest no longer counts."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float


class RateLimiter:
    """Counts what was allowed, one by one: never more than the limit within any window, as far as clocks agree.

    While Redis is away, each process allows the limit by itself: guests are let in rather than kept out.
    """

    def __init__(self, redis: RedisClient, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._shared = MovingWindowRateLimiter(_storage(redis))
        self._local = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, limit: Limit, *subject: str) -> Verdict:
        """Count one of the subject's, if it is allowed; a subject is shown to Redis as a hash only."""
        item = RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
        digest = self._keys.digest(*subject)
        try:
            return await self._redis.run(lambda _: _verdict(self._shared, item, digest))
        except RedisUnavailableError:
            return await _verdict(self._local, item, digest)


async def _verdict(limiter: MovingWindowRateLimiter, item: RateLimitItem, digest: str) -> Verdict:
    allowed = await limiter.hit(item, digest)
    stats = await limiter.get_window_stats(item, digest)
    return Verdict(
        allowed=allowed,
        limit=item.amount,
        remaining=stats.remaining,
        reset_after=max(0.0, stats.reset_time - time.time()),
    )


def _storage(redis: RedisClient) -> RedisStorage:
    # With our connections the address is not used; and the default implementation would be another client.
    options: dict[str, Any] = {"connection_pool": redis.pool}
    return RedisStorage("async+redis://", implementation="redispy", key_prefix=Family.RATE_LIMIT.value, **options)
