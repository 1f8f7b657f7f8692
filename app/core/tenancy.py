"""For whom a piece of work is done: one tenant, and who asked for it in which request."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The tenant whose rows may be seen and changed, and what the audit trail says of the changes.

    `actor` names who acts (`user:<id>`, `token:<id>`, `system:sealer`), `request_id` the request that it
    happens in. Both are stored as they are: no secrets.
    """

    tenant_id: UUID
    actor: str
    request_id: str


working_for: ContextVar[TenantScope | None] = ContextVar("working_for", default=None)
"""For whom the transaction is that is being opened just now; to say who takes a connection, and never to decide."""
