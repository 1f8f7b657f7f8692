"""What happens around every request: its id, the bound on its body, its time, its line in the log."""

import asyncio
import re
import time
from http import HTTPStatus
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.pools import request_scope
from app.api.problems import Problem

PLAIN_ID = re.compile(r"[A-Za-z0-9._:@=+/-]{1,100}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From an answer out of memory to one that waited for a pool.
BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TOO_LARGE = "the body is larger than this service takes"

log = structlog.get_logger(__name__)


class HttpMetrics:
    """Times of requests by route, method and class of status; no path, which names rows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's first byte to the last byte of its answer.",
            ("route", "method", "status"),
            buckets=BUCKETS,
            registry=registry,
        )

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count a request."""
        self._seconds.labels(route, method if method in METHODS else "other", status).observe(seconds)


class Traffic:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, *, largest_body: int, body_timeout: float) -> None:
        self._app = app
        self._largest = largest_body
        self._timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_scope.set(scope)
        headers = Headers(scope=scope)
        answer = _Answer(send, _request_id(headers.get("x-request-id")))
        scope.setdefault("state", {})["request_id"] = answer.request_id
        # Not unbound at the end: a request is a task of its own, and the server logs its errors in it.
        structlog.contextvars.bind_contextvars(request_id=answer.request_id)
        begun = time.perf_counter()
        try:
            if _stated_length(headers) > self._largest:
                problem = Problem(Request(scope), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
                await problem(scope, receive, answer.send)
            else:
                body = _Body(receive, self._largest, self._timeout)
                await self._app(scope, body.receive, answer.send)
        finally:
            _note(scope, answer.status, time.perf_counter() - begun)


class _Body:
    """A request's body while it arrives."""

    def __init__(self, receive: Receive, largest: int, timeout: float) -> None:
        self._receive = receive
        self._left = largest
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:  # what comes now is the client's leaving, which may take any time
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from error
        self._complete = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        return message


class _Answer:
    """The answer on its way out."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            # Guests' conversations, tokens: no proxy and no browser keeps them.
            headers["Cache-Control"] = "no-store"
        await self._send(message)


def _request_id(given: str | None) -> str:
    return given if given and PLAIN_ID.fullmatch(given) else uuid4().hex


def _stated_length(headers: Headers) -> int:
    # Of a number with more digits the first ones are large enough.
    stated = headers.get("content-length", "")[:18]
    return int(stated) if stated.isascii() and stated.isdigit() else 0


def _note(scope: Scope, status: int | None, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    shown = f"{status // 100}xx" if status else "5xx"  # none was sent: an error that is answered outside of here
    scope["app"].state.parts.http.observe(route, scope["method"], shown, seconds)
    log.info("request", method=scope["method"], route=route, status=status or 500, seconds=round(seconds, 6))
