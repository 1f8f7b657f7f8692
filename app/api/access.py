"""Who a request comes from, and whose rows it may touch."""

import hashlib
import hmac
import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Query, Request
from fastapi.security import HTTPBearer
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from app.api.parts import Parts
from app.core.errors import Invalid, NotFound
from app.core.tenancy import TenantScope
from app.services.principals import Principal
from app.services.rate_limit import Limit
from app.services.security.audit_logger import Operator
from app.services.security.events import AuditEvent

BEARER = re.compile(r"bearer +([\x21-\x7e]{1,500})", re.IGNORECASE)
WHO_ARE_YOU = {"WWW-Authenticate": "Bearer"}
# A program with the wrong token tries for ever: the trail needs to hear of it, not of every try.
DENIED = Limit(name="access-denied", amount=1, seconds=60)

log = structlog.get_logger(__name__)
documented = HTTPBearer(description="A tenant's token, or the operator's.", auto_error=False)
# Only OpenAPI learns from it; what is good as a token is decided below.
Documented = Annotated[object, Depends(documented)]


async def parts_of(request: Request) -> Parts:
    """The service's parts."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)  # noqa: S101 - for the type checker
    return parts


PartsOf = Annotated[Parts, Depends(parts_of)]


async def principal(request: Request, parts: PartsOf, _: Documented) -> Principal:
    """Who comes with the request's token; 401 when there is none, or one that is not good."""
    token = bearer_token(request)
    found = await parts.tokens.authenticate(token) if token else None
    if found is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "a good token is needed", WHO_ARE_YOU)
    return found


def bearer_token(request: Request) -> str | None:
    """The token that the request comes with."""
    found = BEARER.fullmatch(request.headers.get("authorization", ""))
    return found[1] if found else None


def is_token(given: str | None, expected: SecretStr) -> bool:
    """Whether it is the token; how long that takes tells nothing."""
    hashes = [hashlib.sha256(text.encode()).digest() for text in (given or "", expected.get_secret_value())]
    return hmac.compare_digest(*hashes)


Caller = Annotated[Principal, Depends(principal)]


async def operator(request: Request, parts: PartsOf, caller: Caller) -> Operator:
    """The operator; 403 for a tenant, which the audit trail hears of."""
    if caller.kind != "admin":
        await _note_denial(request, parts, caller)
        raise HTTPException(HTTPStatus.FORBIDDEN, "this is for operators")
    return Operator(actor=caller.actor, request_id=request_id(request))


async def _note_denial(request: Request, parts: Parts, caller: Principal) -> None:
    if caller.tenant_id is None:
        return
    event = AuditEvent(
        tenant_id=caller.tenant_id,
        event_type="access.denied",
        severity="warning",
        resource=f"{request.method} {request.scope['route'].path}",
        request_id=request_id(request),
        details={"actor": caller.actor},
    )
    await parts.events.record(event, DENIED, caller.actor)


def request_id(request: Request) -> str:
    """What the request is called in the log, in the audit trail, and in the answer."""
    return str(request.state.request_id)


OfTenant = Annotated[UUID | None, Query(description="Whose; only the operator may name another's than its own.")]


async def whose(request: Request, parts: PartsOf, caller: Caller, tenant_id: OfTenant = None) -> UUID | None:
    """The tenant that the request is about: the token's own, the one that the operator names, or None.

    Raises NotFound when a tenant's program names another, and the audit trail of its own hears of it.
    """
    wanted = tenant_id or caller.tenant_id
    if wanted is not None and caller.kind != "admin" and wanted != caller.tenant_id:
        await _note_denial(request, parts, caller)
        raise NotFound("there is no such tenant")
    return wanted


Whose = Annotated[UUID | None, Depends(whose)]


async def own_scope(request: Request, caller: Caller, tenant_id: Whose) -> TenantScope:
    """For work on the rows of that tenant."""
    if tenant_id is None:
        raise Invalid("an operator names the tenant: tenant_id")
    return caller.scope(tenant_id, request_id(request))


AnOperator = Annotated[Operator, Depends(operator)]
OwnScope = Annotated[TenantScope, Depends(own_scope)]
