"""`/ops/*`: what the service knows of itself, for the operator's tools."""

from http import HTTPStatus

import msgspec
from fastapi import Response

from app.api.access import AnOperator, PartsOf
from app.api.routes import api_router

router = api_router("operation", HTTPStatus.FORBIDDEN)


@router.get("/ops/connections", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def connections(_: AnOperator, parts: PartsOf) -> Response:
    """Who holds which connection of the pool, since when and from which line; `dbvitals connections --app` reads it."""
    return Response(msgspec.json.encode(await parts.pools.observations()), media_type="application/json")
