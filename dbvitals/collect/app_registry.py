"""Reads what running applications say of their pools: GET /ops/connections with the operator's token.

Bounded in time and size, straight to the address that was given: no redirect is followed and no proxy asked, so that
the token goes nowhere else.
"""

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from dbvitals.errors import ServerError, UsageError
from dbvitals.model import Skipped
from dbvitals.snapshot_pool import POOL_SCHEMA_VERSION, PoolObservation

PATH = "/ops/connections"
TOKEN = "DBVITALS_APP_TOKEN"  # noqa: S105 -- a name, not a secret
"""The environment's variable with the operator's token of the applications."""
TIMEOUT_SECONDS = 5.0
# Some thousand connections; an answer beyond it is not this toolkit's.
MOST_BYTES = 4_000_000
MOST_AT_ONCE = 8

_TOKEN = re.compile(r"[\x21-\x7e]+")
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class AppReadings(NamedTuple):
    """What was read, in the order of the addresses, and which of them could not be: why, and as they were given."""

    observations: tuple[PoolObservation, ...]
    skipped: tuple[Skipped, ...]
    failed: tuple[str, ...]


class Address(NamedTuple):
    """Where to ask over HTTP: whether by TLS, whom, at which port, for which path."""

    secure: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_apps(urls: Sequence[str], token: str | None, timeout: float = TIMEOUT_SECONDS) -> AppReadings:
    """Read applications at once. Raises UsageError for what is no address; who does not answer well is skipped."""
    if token is not None and not _TOKEN.fullmatch(token):
        raise UsageError("the application's token has characters that no token has", mend="look for a line's end in it")
    addresses = [_address(url) for url in urls]
    with ThreadPoolExecutor(MOST_AT_ONCE, "read-app") as threads:
        found = list(threads.map(lambda address: _read_or_skip(address, token, timeout), addresses))
    return AppReadings(
        tuple(observation for each in found if not isinstance(each, Skipped) for observation in each),
        tuple(each for each in found if isinstance(each, Skipped)),
        tuple(url for url, each in zip(urls, found, strict=True) if isinstance(each, Skipped)),
    )


def read_app(url: str, token: str | None, timeout: float = TIMEOUT_SECONDS) -> tuple[PoolObservation, ...]:
    """Read the pools of one application's process. Raises UsageError, and ServerError for no good answer."""
    return _read(_address(url), token, timeout)


def _read_or_skip(address: Address, token: str | None, timeout: float) -> tuple[PoolObservation, ...] | Skipped:
    try:
        return _read(address, token, timeout)
    except ServerError as error:
        return Skipped(part=f"application at {address}", why=error.what, mend=error.mend)


def _address(url: str) -> Address:
    wrong = UsageError("an application's address is not a URL", mend="give http://host:port")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not host or _UNSEEN.search(url):
        raise wrong
    if parts.username is not None:
        raise UsageError(f"the address of the application at {host} holds a login", mend=f"set {TOKEN}")
    secure = parts.scheme == "https"
    return Address(secure, host, port or (443 if secure else 80), _path(parts))


def _path(parts: SplitResult) -> str:
    path = quote(parts.path, safe="/%") if parts.path.strip("/") else PATH
    return f"{path}?{quote(parts.query, safe='=&%+')}" if parts.query else path


def _read(address: Address, token: str | None, timeout: float) -> tuple[PoolObservation, ...]:
    deadline = time.monotonic() + timeout
    try:
        status, body = _get(address, token, deadline)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        # Whatever a cut connection looks like: it was the deadline that cut it.
        raise _not_reached(address, TimeoutError() if time.monotonic() >= deadline else error) from error
    if status != HTTPStatus.OK:
        raise _refused(address, status)
    return _decode(address, body)


def _get(address: Address, token: str | None, deadline: float) -> tuple[int, bytes]:
    """Status and body. Raises OSError and HTTPException, the latter also for a body that was cut short."""
    kind = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=deadline - time.monotonic())
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with contextlib.closing(connection):
        connection.connect()
        with cut_at(deadline, connection.sock):
            connection.request("GET", address.path, headers=headers)
            with contextlib.closing(connection.getresponse()) as response:
                status, body = response.status, response.read(MOST_BYTES + 1)
                if response.length and len(body) <= MOST_BYTES:
                    raise http.client.IncompleteRead(body, response.length)
    if time.monotonic() >= deadline:
        raise TimeoutError
    return status, body


@contextlib.contextmanager
def cut_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """End the connection at the deadline: a socket's own time-out begins anew with every byte."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True  # where Ctrl-C comes while it starts, nobody waits for it
    try:
        timer.start()
        yield
    finally:
        timer.cancel()


def _decode(address: Address, body: bytes) -> tuple[PoolObservation, ...]:
    """One pool, or a list of those of the process."""
    what = f"the application at {address} answers with something else than a pool's registry"
    mend = f"give the address of a service that serves {PATH}"
    if len(body) > MOST_BYTES:
        raise ServerError(f"{what}: more than {MOST_BYTES // 1_000_000} MB", mend=mend)
    try:
        found = msgspec.json.decode(body, type=PoolObservation | list[PoolObservation])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(what, mend=mend) from error
    observations = tuple(found) if isinstance(found, list) else (found,)
    for observation in observations:
        if observation.schema_version.partition(".")[0] != POOL_SCHEMA_VERSION.partition(".")[0]:
            version = observation.schema_version[:20]
            raise ServerError(f"the application at {address} speaks version {version!r}", mend="update this toolkit")
    return observations


def _refused(address: Address, status: int) -> ServerError:
    if status in _REFUSED:
        return ServerError(
            f"the application at {address} refuses the token ({status})", mend=f"set {TOKEN} to the operator's token"
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return ServerError(
            f"the application at {address} points elsewhere ({status})", mend="give the address that it points to"
        )
    return ServerError(
        f"the application at {address} answers {status}", mend=f"give the address of a service that serves {PATH}"
    )


def _not_reached(address: Address, error: Exception) -> ServerError:
    if isinstance(error, TimeoutError):
        return ServerError(f"the application at {address} gives no whole answer in time", mend="look whether it hangs")
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or error.reason or "TLS failed"
        return ServerError(
            f"the application at {address} is not trusted: {why}", mend="trust its authority (SSL_CERT_FILE)"
        )
    if isinstance(error, http.client.IncompleteRead):
        return ServerError(
            f"the application at {address} cannot be reached: its answer is cut short",
            mend="look whether it runs there",
        )
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return ServerError(f"the application at {address} cannot be reached: {why}", mend="look whether it runs there")
