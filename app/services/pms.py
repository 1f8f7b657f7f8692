"""Access to a hotel's PMS over HTTP: time-outs, retries, a circuit breaker, and the time of every call."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Generic, Self, TypeVar
from uuid import UUID

import httpx
import msgspec
import stamina
from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.metrics import PmsMetrics
from app.core.redis import PLAIN
from app.services.circuit_breaker import BreakerOpenError, CircuitBreaker
from app.services.pms_types import (
    Booking,
    Nights,
    PmsFailedError,
    PmsNotFoundError,
    PmsRejectedError,
    PmsUnavailableError,
    Rate,
    RoomOffer,
    Stay,
    check_hotel,
    check_reference,
)

T = TypeVar("T")

LARGEST_ANSWER = 1024 * 1024
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
OVERLOADED = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)
LOCKED_OUT = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class PmsSettings(BaseSettings):
    """Where the PMS is and how long it is waited for. Immutable; no secret appears in a repr or in an error."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    pms_name: str = Field(default="pms", pattern=f"^{PLAIN.pattern}$", description="Its name in metrics and in Redis")
    pms_base_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8090"), description="Address of the PMS's API")
    pms_token: SecretStr | None = Field(default=None, description="Bearer token for the PMS")
    pms_connect_timeout: float = Field(default=0.5, gt=0, description="Seconds to connect, or to wait for a connection")
    pms_timeout: float = Field(default=2.0, gt=0, description="Seconds that one try may take in all")
    pms_attempts: int = Field(default=3, ge=1, description="Tries of one call")
    pms_retry_within: float = Field(default=5.0, gt=0, description="Seconds after which no other try begins")
    pms_retry_first: float = Field(default=0.1, ge=0, description="Seconds before the second try; they double")
    pms_retry_longest: float = Field(default=1.0, ge=0, description="The most seconds between two tries")
    pms_max_connections: int = Field(default=20, ge=1, description="Connections of one process")


class _Offers(msgspec.Struct, frozen=True):
    offers: tuple[RoomOffer, ...]


class _Rates(msgspec.Struct, frozen=True):
    rates: tuple[Rate, ...]


class _Refusal(msgspec.Struct, frozen=True):
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call(Generic[T]):
    """One request, and the type of its answer. All are safe to send twice."""

    operation: str
    request: httpx.Request
    answer: type[T]


Refused = PmsNotFoundError | PmsRejectedError


class PmsClient:
    """Speaks with one PMS.

    Every operation can be retried, and is: reading, setting a status, and booking, which carries an idempotency
    key. All of them raise PmsUnavailableError when the PMS fails or is left alone, PmsNotFoundError,
    and PmsRejectedError when it says no.
    """

    def __init__(self, settings: PmsSettings, breaker: CircuitBreaker, metrics: PmsMetrics) -> None:
        """`breaker` counts PmsFailedError."""
        self._settings = settings
        self._breaker = breaker
        self._metrics = metrics
        self._http = _http_client(settings)

    @property
    def name(self) -> str:
        """What metrics and keys call this PMS."""
        return self._settings.pms_name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def availability(self, stay: Stay) -> tuple[RoomOffer, ...]:
        """Give the rooms free for a stay."""
        parameters = {**_dates(stay.nights), "guests": str(stay.guests)}
        request = self._http.build_request("GET", f"hotels/{stay.nights.hotel}/availability", params=parameters)
        return (await self._ask(_Call(operation="availability", request=request, answer=_Offers))).offers

    async def rates(self, nights: Nights) -> tuple[Rate, ...]:
        """Give the price of every room type for every night."""
        request = self._http.build_request("GET", f"hotels/{nights.hotel}/rates", params=_dates(nights))
        return (await self._ask(_Call(operation="rates", request=request, answer=_Rates))).rates

    async def create_booking(self, stay: Stay, room_type: str, key: UUID) -> Booking:
        """Hold a room. `key` is one booking's own: sent again, also by another process, it books nothing more."""
        body = {**_dates(stay.nights), "guests": stay.guests, "room_type": room_type}
        request = self._http.build_request(
            "POST", f"hotels/{stay.nights.hotel}/bookings", json=body, headers={"Idempotency-Key": str(key)}
        )
        return await self._ask(_Call(operation="create_booking", request=request, answer=Booking))

    async def confirm_booking(self, hotel: str, reference: str) -> Booking:
        """Make a held booking firm; again has no effect."""
        return await self._settle("confirm_booking", hotel, reference, "confirmed")

    async def cancel_booking(self, hotel: str, reference: str) -> Booking:
        """Give a booking up; again has no effect."""
        return await self._settle("cancel_booking", hotel, reference, "cancelled")

    async def _settle(self, operation: str, hotel: str, reference: str, status: str) -> Booking:
        check_hotel(hotel)
        check_reference(reference)
        path = f"hotels/{hotel}/bookings/{reference}/status"
        request = self._http.build_request("PUT", path, json={"status": status})
        return await self._ask(_Call(operation=operation, request=request, answer=Booking))

    async def _ask(self, call: _Call[T]) -> T:
        retries = stamina.retry_context(
            on=PmsFailedError,
            attempts=self._settings.pms_attempts,
            timeout=self._settings.pms_retry_within,
            wait_initial=self._settings.pms_retry_first,
            wait_max=self._settings.pms_retry_longest,
            wait_jitter=self._settings.pms_retry_first,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await self._try(call)
        except BreakerOpenError as error:
            raise PmsUnavailableError("the hotel's system is not available", error.retry_after) from error
        raise AssertionError("stamina gives the answer or raises the last error")

    async def _try(self, call: _Call[T]) -> T:
        async with self._breaker.guard():
            answer = await self._observed(call)
        if isinstance(answer, Refused):  # raised out here, since for the breaker a no is an answer
            raise answer
        return answer

    async def _observed(self, call: _Call[T]) -> T | Refused:
        begun = time.perf_counter()
        outcome = "cancelled"
        try:
            answer = await self._in_time(call)
            outcome = _outcome(answer)
        except PmsFailedError as error:
            outcome = error.outcome
            raise
        except PmsUnavailableError:
            outcome = "not_sent"
            raise
        finally:
            self._metrics.observe_call(call.operation, outcome, time.perf_counter() - begun)
        return answer

    async def _in_time(self, call: _Call[T]) -> T | Refused:
        try:
            async with asyncio.timeout(self._settings.pms_timeout):
                return await self._send(call)
        except httpx.PoolTimeout as error:  # our own connections are all busy: no fault of the PMS
            raise PmsUnavailableError("too many requests to the hotel's system at once") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise PmsFailedError("the hotel's system did not answer in time", "timeout") from error
        except httpx.RequestError as error:
            raise PmsFailedError("the hotel's system cannot be reached", "failed") from error

    async def _send(self, call: _Call[T]) -> T | Refused:
        response = await self._http.send(call.request, stream=True)
        try:
            body = await _bounded_body(response)
        finally:
            await response.aclose()
        return _understood(response.status_code, body, call.answer)


def _http_client(settings: PmsSettings) -> httpx.AsyncClient:
    token = settings.pms_token
    return httpx.AsyncClient(
        base_url=str(settings.pms_base_url),
        headers={"Authorization": f"Bearer {token.get_secret_value()}"} if token else {},
        timeout=httpx.Timeout(
            settings.pms_timeout, connect=settings.pms_connect_timeout, pool=settings.pms_connect_timeout
        ),
        limits=httpx.Limits(max_connections=settings.pms_max_connections),
        trust_env=False,  # no proxy, and no password of a .netrc, that the settings do not name
    )


def _dates(nights: Nights) -> dict[str, str]:
    return {"arrival": nights.arrival.isoformat(), "departure": nights.departure.isoformat()}


def _outcome(answer: object) -> str:
    if isinstance(answer, PmsNotFoundError):
        return "not_found"
    return "rejected" if isinstance(answer, PmsRejectedError) else "ok"


async def _bounded_body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise PmsFailedError("the hotel's system sent an answer that is too large", "failed")
    return bytes(body)


def _understood(status: int, body: bytes, answer: type[T]) -> T | Refused:
    if status in LOCKED_OUT:  # a wrong token: trying again does not help, and the PMS is well
        raise PmsUnavailableError("the hotel's system does not let this service in")
    if status == httpx.codes.NOT_FOUND:
        return PmsNotFoundError("the hotel's system knows no such thing")
    if 400 <= status < 500 and status not in OVERLOADED:
        return PmsRejectedError(_code(body))
    if not 200 <= status < 300:
        raise PmsFailedError(f"the hotel's system failed with status {status}", "failed")
    try:
        return msgspec.json.decode(body, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PmsFailedError("the hotel's system sent an answer that makes no sense", "failed") from error


def _code(body: bytes) -> str:
    """Give the PMS's reason when it is a plain code: other texts may repeat what a guest wrote."""
    try:
        code = msgspec.json.decode(body, type=_Refusal).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "no_reason_given"
    return code if CODE.fullmatch(code) else "no_reason_given"
