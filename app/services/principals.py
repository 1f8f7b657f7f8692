"""Who uses the service: a tenant's program, or an operator for all tenants."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app.core.errors import NotFound
from app.core.tenancy import TenantScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request comes from. `tenant_id` is None for an operator; `actor` is what the audit trail calls them."""

    kind: Literal["tenant", "admin"]
    tenant_id: UUID | None
    actor: str

    def scope(self, tenant_id: UUID, request_id: str) -> TenantScope:
        """For work on one tenant's rows. Raises NotFound for a tenant that is not theirs, as for one that is not."""
        if self.kind != "admin" and tenant_id != self.tenant_id:
            raise NotFound("there is no such tenant")
        return TenantScope(tenant_id=tenant_id, actor=self.actor, request_id=request_id)
