"""Errors as the client sees them: problem details (RFC 9457) that say what happened and nothing of anybody's rows."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unavailable

MEDIA_TYPE = "application/problem+json"
# The same for what is not there and for what is another tenant's.
NOTHING_THERE = "there is no such thing, or none that you may see"
# When nothing says how long something will be away.
RETRY_SECONDS = 2
LONGEST_NAME = 100

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "request_id"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
    },
}

log = structlog.get_logger(__name__)

Errors = list[dict[str, str]]


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


class Problem(Response):
    """A problem's document."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        request: Request,
        status: int,
        detail: str,
        *,
        errors: Errors | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        request_id = getattr(request.state, "request_id", "")
        document: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": int(status),
            "detail": detail,
            "request_id": request_id,
        }
        if errors:
            document["errors"] = errors
        # ASCII only: names that the client made up may hold what UTF-8 has no bytes for.
        body = json.dumps(document).encode()
        super().__init__(body, int(status), {"X-Request-ID": request_id, **(headers or {})})


class Described(FastAPI):
    """An application whose OpenAPI describes what `declared` refers to."""

    def openapi(self) -> dict[str, Any]:
        """The whole document."""
        document = super().openapi()
        document["components"]["schemas"].setdefault("Problem", SCHEMA)
        return document


def install(application: FastAPI) -> None:
    """Answer every error with a problem's document."""
    application.add_exception_handler(AppError, _service_error)
    application.add_exception_handler(RequestValidationError, _validation_error)
    application.add_exception_handler(HTTPException, _http_error)
    application.add_exception_handler(Exception, _unexpected_error)


async def _service_error(request: Request, error: Exception) -> Response:
    match error:
        case NotFound():
            return Problem(request, HTTPStatus.NOT_FOUND, NOTHING_THERE)
        case Conflict():
            return Problem(request, HTTPStatus.CONFLICT, str(error))
        case Invalid():
            return Problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        case TooManyRequests():
            return Problem(request, HTTPStatus.TOO_MANY_REQUESTS, str(error), headers=_retry_after(error))
        case Unavailable():
            log.warning("a request could not be served", why=str(error))
            return Problem(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=_retry_after(error))
        case _:
            raise error


def _retry_after(error: AppError) -> dict[str, str]:
    seconds = getattr(error, "retry_after", None)
    return {"Retry-After": str(max(1, round(RETRY_SECONDS if seconds is None else seconds)))}


async def _validation_error(request: Request, error: Exception) -> Response:
    """Say what is wrong and where, and leave out what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return Problem(request, HTTPStatus.BAD_REQUEST, "the body is not JSON")
    errors = [{"where": _place(item["loc"]), "what": str(item["msg"])} for item in found]
    return Problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not as it must be", errors=errors)


def _place(location: tuple[object, ...]) -> str:
    return ".".join(str(part)[:LONGEST_NAME] for part in location)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    return Problem(request, error.status_code, error.detail, headers=error.headers)


async def _unexpected_error(request: Request, _: Exception) -> Response:
    """Tell nothing: the log has the place. Starlette raises the error again, and the server logs it."""
    return Problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong in the service")
