"""`/health/*` and `/metrics`: what those who run the service ask it."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app.api.access import WHO_ARE_YOU, PartsOf, bearer_token, is_token
from app.api.readiness import PartState, Readiness

router = APIRouter(tags=["operation"])


class Liveness(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether the service can do its work: `degraded` is slower, or without some of it; `down` is not at all."""

    status: Literal["ok", "degraded", "down"]
    parts: dict[str, PartState]


async def readiness_of(request: Request) -> Readiness:
    """The one of this process."""
    readiness = request.app.state.readiness
    assert isinstance(readiness, Readiness)  # noqa: S101 - for the type checker
    return readiness


@router.get("/health/live")
async def live() -> Liveness:
    """Answer, which is all that is asked."""
    return Liveness()


@router.get("/health/ready", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": Ready}})
async def ready(readiness: Annotated[Readiness, Depends(readiness_of)], response: Response) -> Ready:
    """Say which parts answer. Without PostgreSQL nothing works: 503. Without Redis or the PMS guests are served."""
    states = await readiness.states()
    if states["postgresql"].status == "down":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Ready(status="down", parts=states)
    degraded = any(state.status == "down" for state in states.values())
    return Ready(status="degraded" if degraded else "ok", parts=states)


@router.get("/metrics", response_class=Response, responses={HTTPStatus.OK: {"content": {"text/plain": {}}}})
async def metrics(request: Request, parts: PartsOf) -> Response:
    """The figures for Prometheus."""
    expected = parts.settings.metrics_token
    if expected is not None and not is_token(bearer_token(request), expected):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "a good token is needed", WHO_ARE_YOU)
    page, media_type = await parts.metrics_page(request.headers.get("accept", ""))
    return Response(page, media_type=None, headers={"Content-Type": media_type})
