"""Bearer tokens: who comes with one, and how an operator makes and takes back those of tenants."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cachetools import TTLCache
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import Database
from app.core.errors import Invalid, NotFound
from app.db import api_tokens, tenants
from app.db.api_tokens import GoodToken, TokenInfo
from app.db.paging import Position
from app.services.listing import Page, page_of, position_of
from app.services.principals import Principal
from app.services.security.audit_logger import Operator
from app.services.texts import check_text

FORM = re.compile(r"aht_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
SECRET_BYTES = 32
# A revoked token is good for so long at most in a process that has just seen it.
KNOWN_SECONDS = 10.0
UNKNOWN_SECONDS = 5.0
ENTRIES = 10_000
# Compared with what comes under an unknown id, so that the work is the same.
NO_HASH = bytes(32)
LONGEST_NAME = 100


class Tokens:
    """Tells who comes with a token. A tenant's is remembered for some seconds, by its id: secrets are not kept."""

    def __init__(
        self, engine: AsyncEngine, admin_token: SecretStr | None, timer: Callable[[], float] = time.monotonic
    ) -> None:
        """`engine` is for single reads (`Database.hot`); without an admin token nobody is an operator."""
        self._engine = engine
        self._admin = _hash(admin_token.get_secret_value()) if admin_token and admin_token.get_secret_value() else None
        self._timer = timer
        self._known: TTLCache[UUID, tuple[GoodToken, float]] = TTLCache(ENTRIES, KNOWN_SECONDS, timer)
        self._unknown: TTLCache[UUID, None] = TTLCache(ENTRIES, UNKNOWN_SECONDS, timer)

    async def authenticate(self, text: str) -> Principal | None:
        """Give whose token this is, or None. Raises Unavailable when the database is asked and away."""
        if self._admin is not None and hmac.compare_digest(_hash(text), self._admin):
            return Principal(kind="admin", tenant_id=None, actor="admin")
        form = FORM.fullmatch(text)
        if form is None:
            return None
        key = UUID(hex=form[1])
        found = await self._find(key)
        same = hmac.compare_digest(_hash(form[2]), found.secret_hash if found else NO_HASH)
        if found is None or not same:
            return None
        return Principal(kind="tenant", tenant_id=found.tenant_id, actor=f"token:{key}")

    async def _find(self, key: UUID) -> GoodToken | None:
        kept = self._known.get(key)
        if kept is not None and self._timer() < kept[1]:
            return kept[0]
        if key in self._unknown:
            return None
        found = await api_tokens.find_good(self._engine, key)
        if found is None:
            self._unknown[key] = None
            return None
        good_for = KNOWN_SECONDS if found.expires_in is None else found.expires_in
        self._known[key] = (found, self._timer() + good_for)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A new token; `text` is shown this once and kept nowhere."""

    info: TokenInfo
    text: SecretStr


class TokenDesk:
    """Where operators make and revoke the tokens of tenants; each call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, operator: Operator, tenant_id: UUID, name: str, expires_at: datetime | None = None
    ) -> CreatedToken:
        """Make a token. Raises NotFound for a tenant that is not, Invalid for a name or an end that cannot be."""
        check_text("the name of a token", name, LONGEST_NAME)
        _check_end(expires_at)
        secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
        async with self._database.admin(operator.actor, operator.request_id) as session:
            await tenants.require(session, tenant_id)
            info = await api_tokens.add(session, tenant_id, name, _hash(secret), expires_at)
        return CreatedToken(info=info, text=SecretStr(f"aht_{info.id.hex}_{secret}"))

    async def listed(
        self, operator: Operator, tenant_id: UUID, cursor: str | None = None, limit: int = 50
    ) -> Page[TokenInfo]:
        """A tenant's tokens that are not revoked, the newest first. Raises NotFound, and Invalid for a wrong cursor."""
        listing = f"tokens {tenant_id}"
        position = position_of(cursor, listing, limit)
        async with self._database.admin(operator.actor, operator.request_id) as session:
            await tenants.require(session, tenant_id)
            found = await api_tokens.listed(session, tenant_id, position.id if position else None, limit + 1)
        return page_of(found, limit, listing, lambda token: Position(token.created_at, token.id))

    async def revoke(self, operator: Operator, tenant_id: UUID, token_id: UUID) -> None:
        """Take a token back; within KNOWN_SECONDS no process takes it any more. Raises NotFound."""
        async with self._database.admin(operator.actor, operator.request_id) as session:
            if not await api_tokens.revoke(session, tenant_id, token_id):
                raise NotFound("there is no such token")


def _hash(secret: str) -> bytes:
    # What came over the network may have halves of surrogate pairs.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _check_end(expires_at: datetime | None) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise Invalid("the end of a token needs a time zone")
    try:
        end = expires_at.astimezone(UTC)
    except OverflowError as error:  # the last day of the calendar, west of Greenwich
        raise Invalid("the end of a token is out of range") from error
    if end <= datetime.now(UTC):
        raise Invalid("the end of a token must be in the future")
