"""`/v1/tenants/{tenant_id}/identifiers`: what a hotel's guests are known by, for operators."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from app.api.access import AnOperator, PartsOf
from app.api.fields import Body, Cursor, PageSize, Shown
from app.api.messages import Platform
from app.api.routes import CLASHING, NOT_FOUND, api_router
from app.db.tenants import IdentifierFilter, IdentifierInfo, Which
from app.services.listing import Page
from app.services.messages import LONGEST_IDENTIFIER

router = api_router("identifiers", HTTPStatus.FORBIDDEN)

PATH = "/v1/tenants/{tenant_id}/identifiers"
EXAMPLE: dict[str, JsonValue] = {"platform": "whatsapp", "value": "+34 612 345 678"}


class NewIdentifier(Body):
    """What a guest is known by; a new guest's when no `user_id` is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    platform: Platform
    value: Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTIFIER)]
    user_id: UUID | None = None


class ShownIdentifier(Shown):
    """What a guest is known by, in its one form."""

    id: UUID
    tenant_id: UUID
    user_id: UUID
    platform: str
    value: str
    created_at: datetime
    deleted_at: datetime | None


class Identifiers(Shown):
    """A page of identifiers, the newest first."""

    items: list[ShownIdentifier]
    next_cursor: str | None


@router.post(PATH, response_model=ShownIdentifier, status_code=HTTPStatus.CREATED, responses=CLASHING)
async def add(tenant_id: UUID, operator: AnOperator, parts: PartsOf, wanted: NewIdentifier) -> IdentifierInfo:
    """Make a guest known by an identifier. 409 when it is taken."""
    return await parts.tenants.add_identifier(operator, tenant_id, wanted.platform, wanted.value, wanted.user_id)


@router.get(PATH, response_model=Identifiers, responses=NOT_FOUND)
async def listed(
    tenant_id: UUID,
    operator: AnOperator,
    parts: PartsOf,
    which: Which = Which.LIVE,
    user_id: UUID | None = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Page[IdentifierInfo]:
    """A hotel's identifiers, or those of one of its guests."""
    wanted = IdentifierFilter(which=which, user_id=user_id)
    return await parts.tenants.identifiers(operator, tenant_id, cursor, limit, wanted)


@router.delete(PATH + "/{identifier_id}", response_model=ShownIdentifier, responses=NOT_FOUND)
async def remove(tenant_id: UUID, identifier_id: UUID, operator: AnOperator, parts: PartsOf) -> IdentifierInfo:
    """Take an identifier from its guest."""
    return await parts.tenants.remove_identifier(operator, tenant_id, identifier_id)


@router.post(PATH + "/{identifier_id}/restore", response_model=ShownIdentifier, responses=CLASHING)
async def restore(tenant_id: UUID, identifier_id: UUID, operator: AnOperator, parts: PartsOf) -> IdentifierInfo:
    """Give an identifier back to its guest. 409 when it is another's by now."""
    return await parts.tenants.restore_identifier(operator, tenant_id, identifier_id)
