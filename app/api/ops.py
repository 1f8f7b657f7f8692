"""`/ops/*`: what the service knows of itself, for the operator's tools."""

import msgspec
from fastapi import APIRouter, Response

from app.api.access import AnOperator, PartsOf
from app.api.problems import declared

router = APIRouter(tags=["operation"], responses=declared(401, 403, 503))


@router.get("/ops/connections", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def connections(_: AnOperator, parts: PartsOf) -> Response:
    """Who holds which connection of the pool, since when and from which line; `dbvitals connections --app` reads it."""
    return Response(msgspec.json.encode(await parts.pools.observations()), media_type="application/json")
