"""What all routes of the API have in common: what they take, and what OpenAPI says of their errors."""

from http import HTTPStatus

from fastapi import APIRouter

from app.api.bodies import JsonRoute
from app.api.problems import declared

ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
WITH_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
NOT_FOUND = declared(HTTPStatus.NOT_FOUND)
CLASHING = declared(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def api_router(tag: str, *statuses: int) -> APIRouter:
    """A router whose routes can be answered with the common errors, and with these."""
    return APIRouter(tags=[tag], route_class=JsonRoute, responses=declared(*ALWAYS, *WITH_BODY, *statuses))
