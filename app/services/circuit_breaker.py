"""Circuit breaker: one state for all processes, in Redis; each process for itself while Redis is away."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from app.core.errors import Unavailable
from app.core.redis import RedisClient, RedisUnavailableError
from app.services.local_breaker import Admission, BreakerPolicy, LocalBreaker, Outcome, State

LUA = Path(__file__).with_name("lua")
SLOTS = 10  # parts of the window; so exact is its rolling
KEEP_MS = 3_600_000  # what nobody asked about for an hour is forgotten


class BreakerOpenError(Unavailable):
    """The other side has failed too often of late, and is left alone; `retry_after` is in seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is failing and is left alone for another {retry_after:.1f} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class _Permit:
    """Leave to call. `token` tells probes apart; `shared` is who gave it, and hears the outcome."""

    token: str
    admission: Admission
    shared: bool


class CircuitBreaker:
    """Guards calls to one remote system. Errors of type `failures` count against it, no others do.

    The state is one hash in Redis, changed by scripts by the server's clock. `observe` is told every state seen,
    never an older one after a newer.
    """

    def __init__(
        self,
        name: str,
        key: str,
        redis: RedisClient,
        policy: BreakerPolicy,
        failures: type[Exception],
        *,
        observe: Callable[[State], None],
        random: Random | None = None,
    ) -> None:
        self._name = name
        self._key = key
        self._redis = redis
        self._policy = policy
        self._failures = failures
        self._observe = observe
        self._random = random or Random()  # noqa: S311 - spreads probes, hides nothing
        self._local = LocalBreaker(policy)
        self._seen = (False, 0, State.CLOSED)
        self._admit_script = redis.script(LUA / "breaker_admit.lua")
        self._settle_script = redis.script(LUA / "breaker_settle.lua")

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Make the call within. Raises BreakerOpenError instead of letting it be made."""
        permit = await self._admit()
        outcome = Outcome.NEUTRAL
        try:
            yield
            outcome = Outcome.SUCCESS
        except self._failures:
            outcome = Outcome.FAILURE
            raise
        finally:
            await self._settle(permit, outcome)

    async def _admit(self) -> _Permit:
        token = secrets.token_hex(8)
        try:
            permit = _Permit(token=token, admission=await self._ask(token), shared=True)
        except RedisUnavailableError:
            permit = _Permit(token=token, admission=self._local.admit(token), shared=False)
        self._see(permit.shared, permit.admission.epoch, permit.admission.state)
        if not permit.admission.allowed:
            raise BreakerOpenError(self._name, permit.admission.wait)
        return permit

    async def _ask(self, token: str) -> Admission:
        policy = self._policy
        arguments: list[str | float] = [policy.probes, _milliseconds(policy.probe_for), token, KEEP_MS]
        state, allowed, epoch, wait = await self._redis.run(lambda _: self._admit_script([self._key], arguments))
        return Admission(state=State(state), allowed=bool(allowed), epoch=epoch, wait=wait / 1000)

    async def _settle(self, permit: _Permit, outcome: Outcome) -> None:
        """Tell whoever gave the leave; a probe's that is not heard of, because Redis has gone, lapses by itself."""
        if outcome is Outcome.NEUTRAL and permit.admission.state is State.CLOSED:
            return
        open_for = self._policy.open_for * self._random.uniform(1.0, 1.0 + self._policy.jitter)
        if not permit.shared:
            self._see(False, *self._local.settle(outcome, permit.admission.epoch, permit.token, open_for))
            return
        try:
            self._see(True, *await self._tell(permit, outcome, open_for))
        except RedisUnavailableError:
            return

    def _see(self, shared: bool, epoch: int, state: State) -> None:
        """Show a state, unless a later one has been seen: answers to calls made at once come in any order."""
        # Within an epoch a state only grows: it is closed all through, or open and then half-open.
        seen_shared, seen_epoch, seen_state = self._seen
        if shared == seen_shared and (epoch, state) < (seen_epoch, seen_state):
            return
        self._seen = (shared, epoch, state)
        self._observe(state)

    async def _tell(self, permit: _Permit, outcome: Outcome, open_for: float) -> tuple[int, State]:
        policy = self._policy
        arguments: list[str | float] = [
            outcome.value,
            permit.admission.epoch,
            permit.token,
            policy.failures,
            policy.share,
            SLOTS,
            _milliseconds(policy.window / SLOTS),
            policy.probes,
            _milliseconds(open_for),
            KEEP_MS,
        ]
        state, epoch = await self._redis.run(lambda _: self._settle_script([self._key], arguments))
        return epoch, State(state)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
