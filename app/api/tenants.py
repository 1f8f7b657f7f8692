"""`/v1/tenants`: the hotels, for operators."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from app.api.access import AnOperator, PartsOf
from app.api.fields import Body, Cursor, PageSize, Shown
from app.api.routes import NOT_FOUND, api_router
from app.db.tenants import TenantInfo, Which
from app.services.listing import Page
from app.services.tenants import LONGEST_NAME, TenantChange

router = api_router("tenants", HTTPStatus.FORBIDDEN)

EXAMPLE: dict[str, JsonValue] = {
    "name": "Gran Hotel Miravalle",
    "timezone": "Europe/Madrid",
    "settings": {"pms_hotel": "gran-hotel-miravalle"},
}

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Timezone = Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Madrid"])]
JsonSettings = dict[str, JsonValue]


class NewTenant(Body):
    """A hotel to add; `pms_hotel` of its settings is the code that its PMS knows it by."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    timezone: Timezone = "UTC"
    settings: JsonSettings = Field(default_factory=dict)


class ChangedTenant(Body):
    """What is to change. Of the settings, those named are set, and removed when null."""

    name: Name | None = None
    timezone: Timezone | None = None
    settings: JsonSettings = Field(default_factory=dict)


class ShownTenant(Shown):
    """A hotel."""

    id: UUID
    name: str
    timezone: str
    settings: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Tenants(Shown):
    """A page of hotels, the newest first."""

    items: list[ShownTenant]
    next_cursor: str | None


@router.post("/v1/tenants", response_model=ShownTenant, status_code=HTTPStatus.CREATED)
async def create(operator: AnOperator, parts: PartsOf, wanted: NewTenant) -> TenantInfo:
    """Add a hotel."""
    return await parts.tenants.create(operator, wanted.name, wanted.timezone, {**wanted.settings})


@router.get("/v1/tenants", response_model=Tenants)
async def listed(
    operator: AnOperator, parts: PartsOf, which: Which = Which.LIVE, cursor: Cursor = None, limit: PageSize = 50
) -> Page[TenantInfo]:
    """Hotels in service, or those taken out of it."""
    return await parts.tenants.listed(operator, cursor, limit, which)


@router.get("/v1/tenants/{tenant_id}", response_model=ShownTenant, responses=NOT_FOUND)
async def one(tenant_id: UUID, operator: AnOperator, parts: PartsOf) -> TenantInfo:
    """One hotel."""
    return await parts.tenants.get(operator, tenant_id)


@router.patch("/v1/tenants/{tenant_id}", response_model=ShownTenant, responses=NOT_FOUND)
async def change(tenant_id: UUID, operator: AnOperator, parts: PartsOf, wanted: ChangedTenant) -> TenantInfo:
    """Change a hotel."""
    change = TenantChange(name=wanted.name, timezone=wanted.timezone, settings={**wanted.settings})
    return await parts.tenants.change(operator, tenant_id, change)


@router.delete("/v1/tenants/{tenant_id}", response_model=ShownTenant, responses=NOT_FOUND)
async def delete(tenant_id: UUID, operator: AnOperator, parts: PartsOf) -> TenantInfo:
    """Take a hotel out of service; its rows stay, and it can be restored."""
    return await parts.tenants.soft_delete(operator, tenant_id)


@router.post("/v1/tenants/{tenant_id}/restore", response_model=ShownTenant, responses=NOT_FOUND)
async def restore(tenant_id: UUID, operator: AnOperator, parts: PartsOf) -> TenantInfo:
    """Take a hotel into service again, with all it had."""
    return await parts.tenants.restore(operator, tenant_id)
