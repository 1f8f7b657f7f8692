"""The table of tokens: which tenant's programs may use the service, and until when."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, TenantOwned, length
from app.db.ddl import read_sql
from app.db.token_protection import keep_tokens

CHECKING = ("find_api_token.sql", "own_find_api_token.sql")


class ApiToken(TenantOwned, Base):
    """A bearer token of a tenant. `secret_hash` is SHA-256 of 32 random bytes; `deleted_at` is when it was revoked."""

    __tablename__ = "api_tokens"

    name: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(deferred=True, info={"sensitive": True})
    expires_at: Mapped[datetime | None]

    __table_args__ = (
        length("name", 100),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        # A token says its id and not its tenant, which is the question.
        Index(None, "id", unique=True),
        {"info": {"protection": [*keep_tokens(), *map(read_sql, CHECKING)]}},
    )
