"""Hotels and what their guests are known by, as operators keep them; each call is a transaction of its own."""

import json
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

from app.core.database import Database
from app.core.errors import Invalid
from app.core.identifiers import normalise
from app.core.ids import uuid7
from app.db import tenants
from app.db.base import JsonObject
from app.db.paging import Position
from app.db.tables import PLATFORMS
from app.db.tenants import IdentifierFilter, IdentifierInfo, TenantInfo, Which
from app.services.listing import Page, page_of, position_of
from app.services.pms_types import check_hotel
from app.services.security.audit_logger import Operator
from app.services.security.events import DEEPEST, UNSTORABLE
from app.services.texts import check_text

LONGEST_NAME = 200
# Settings are read with every message.
LARGEST_SETTINGS = 16 * 1024
PMS_HOTEL = "pms_hotel"
LIVE = IdentifierFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantChange:
    """What is to change of a tenant: None leaves it. Of the settings, those named are set, and removed when null."""

    name: str | None = None
    timezone: str | None = None
    settings: JsonObject = field(default_factory=dict)


class Tenants:
    """The hotels. All calls raise Invalid for what cannot be stored, and NotFound for a hotel that is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, operator: Operator, name: str, timezone: str = "UTC", settings: JsonObject | None = None
    ) -> TenantInfo:
        """Add a hotel."""
        kept = {key: value for key, value in (settings or {}).items() if value is not None}
        _check_tenant(name, timezone, kept)
        async with self._database.admin(operator.actor, operator.request_id) as session:
            return await tenants.add(session, name, timezone, kept)

    async def get(self, operator: Operator, tenant_id: UUID) -> TenantInfo:
        """One hotel."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            return await tenants.get(session, tenant_id)

    async def listed(
        self, operator: Operator, cursor: str | None = None, limit: int = 50, which: Which = Which.LIVE
    ) -> Page[TenantInfo]:
        """Hotels, the newest first."""
        listing = f"tenants {which.value}"
        position = position_of(cursor, listing, limit)
        async with self._database.admin(operator.actor, operator.request_id) as session:
            found = await tenants.listed(session, which, position.id if position else None, limit + 1)
        return page_of(found, limit, listing, lambda tenant: Position(tenant.created_at, tenant.id))

    async def change(self, operator: Operator, tenant_id: UUID, wanted: TenantChange) -> TenantInfo:
        """Change a hotel's name, time zone, settings."""
        _check_tenant(wanted.name, wanted.timezone, wanted.settings)
        put = {key: value for key, value in wanted.settings.items() if value is not None}
        removed = [key for key, value in wanted.settings.items() if value is None]
        async with self._database.admin(operator.actor, operator.request_id) as session:
            changed = await tenants.change(session, tenant_id, wanted.name, wanted.timezone, put, removed)
            _check_size(changed.settings)
        return changed

    async def soft_delete(self, operator: Operator, tenant_id: UUID) -> TenantInfo:
        """Take a hotel out of service: its tokens are good no more, and its guests' messages find nobody."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            return await tenants.soft_delete(session, tenant_id)

    async def restore(self, operator: Operator, tenant_id: UUID) -> TenantInfo:
        """Take a deleted hotel into service again, with all it had."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            return await tenants.restore(session, tenant_id)

    async def add_identifier(
        self, operator: Operator, tenant_id: UUID, platform: str, value: str, user_id: UUID | None = None
    ) -> IdentifierInfo:
        """Make a guest known by an identifier, a new guest when none is named. Raises Conflict when it is taken."""
        _check_platform(platform)
        normal = normalise(value, platform)
        async with self._database.admin(operator.actor, operator.request_id) as session:
            await tenants.require(session, tenant_id)
            return await tenants.add_identifier(session, tenant_id, user_id or uuid7(), platform, normal)

    async def identifiers(
        self,
        operator: Operator,
        tenant_id: UUID,
        cursor: str | None = None,
        limit: int = 50,
        wanted: IdentifierFilter = LIVE,
    ) -> Page[IdentifierInfo]:
        """A hotel's identifiers, or one guest's; the newest first."""
        listing = f"identifiers {tenant_id} {wanted}"
        position = position_of(cursor, listing, limit)
        async with self._database.admin(operator.actor, operator.request_id) as session:
            await tenants.require(session, tenant_id)
            found = await tenants.identifiers(session, tenant_id, wanted, position.id if position else None, limit + 1)
        return page_of(found, limit, listing, lambda one: Position(one.created_at, one.id))

    async def remove_identifier(self, operator: Operator, tenant_id: UUID, identifier_id: UUID) -> IdentifierInfo:
        """Take an identifier from its guest; anybody may be known by it from then on."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            return await tenants.remove_identifier(session, tenant_id, identifier_id)

    async def restore_identifier(self, operator: Operator, tenant_id: UUID, identifier_id: UUID) -> IdentifierInfo:
        """Give an identifier back to its guest. Raises Conflict when it is taken by now."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            await tenants.require(session, tenant_id)
            return await tenants.restore_identifier(session, tenant_id, identifier_id)


def _check_tenant(name: str | None, timezone: str | None, settings: JsonObject) -> None:
    if name is not None:
        check_text("the name of a hotel", name, LONGEST_NAME)
    if timezone is not None and timezone not in _timezones():
        raise Invalid("a time zone is named as in Europe/Madrid")
    _check_json(settings, 0)
    _check_size(settings)
    hotel = settings.get(PMS_HOTEL)
    if hotel is not None:
        if not isinstance(hotel, str):
            raise Invalid(f"{PMS_HOTEL} is a text")
        check_hotel(hotel)


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_platform(platform: str) -> None:
    if platform not in PLATFORMS:
        raise Invalid(f"platform must be one of {', '.join(PLATFORMS)}")


def _check_json(value: object, depth: int) -> None:
    if depth > DEEPEST:
        raise Invalid(f"settings may be {DEEPEST} levels deep")
    match value:
        case dict():
            for key, item in value.items():
                _check_json(key, depth + 1)
                _check_json(item, depth + 1)
        case list() | tuple():
            for item in value:
                _check_json(item, depth + 1)
        case str() if UNSTORABLE.search(value):
            raise Invalid("settings have characters that cannot be stored")
        case _:
            return


def _check_size(settings: JsonObject) -> None:
    try:
        size = len(json.dumps(settings, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Invalid("settings must be JSON values") from error
    if size > LARGEST_SETTINGS:
        raise Invalid(f"settings may have {LARGEST_SETTINGS} bytes")
