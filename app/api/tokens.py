"""`/v1/tenants/{tenant_id}/tokens`: the bearer tokens of a hotel's programs, for operators."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import ConfigDict, Field

from app.api.access import AnOperator, PartsOf
from app.api.fields import Body, Cursor, Moment, PageSize, Shown
from app.api.routes import NOT_FOUND, api_router
from app.db.api_tokens import TokenInfo
from app.services.listing import Page
from app.services.tokens import LONGEST_NAME

router = api_router("tokens", HTTPStatus.FORBIDDEN)

PATH = "/v1/tenants/{tenant_id}/tokens"


class NewToken(Body):
    """What the token is for, and until when it is good."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "whatsapp bridge"}]})

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    expires_at: Moment | None = None


class ShownToken(Shown):
    """A token, without what it takes to use it."""

    id: UUID
    tenant_id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None


class CreatedToken(ShownToken):
    """A new token; `token` is shown this once."""

    token: str


class ShownTokens(Shown):
    """A page of tokens, the newest first."""

    items: list[ShownToken]
    next_cursor: str | None


@router.post(PATH, response_model=CreatedToken, status_code=HTTPStatus.CREATED, responses=NOT_FOUND)
async def create(tenant_id: UUID, operator: AnOperator, parts: PartsOf, wanted: NewToken) -> CreatedToken:
    """Make a token for a hotel's program."""
    made = await parts.token_desk.create(operator, tenant_id, wanted.name, wanted.expires_at)
    return CreatedToken(
        id=made.info.id,
        tenant_id=made.info.tenant_id,
        name=made.info.name,
        created_at=made.info.created_at,
        expires_at=made.info.expires_at,
        token=made.text.get_secret_value(),
    )


@router.get(PATH, response_model=ShownTokens, responses=NOT_FOUND)
async def listed(
    tenant_id: UUID, operator: AnOperator, parts: PartsOf, cursor: Cursor = None, limit: PageSize = 50
) -> Page[TokenInfo]:
    """A hotel's tokens that are not revoked."""
    return await parts.token_desk.listed(operator, tenant_id, cursor, limit)


@router.delete(PATH + "/{token_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response, responses=NOT_FOUND)
async def revoke(tenant_id: UUID, token_id: UUID, operator: AnOperator, parts: PartsOf) -> None:
    """Take a token back; no process takes it after ten seconds."""
    await parts.token_desk.revoke(operator, tenant_id, token_id)
