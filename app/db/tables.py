"""The hotel's tables, with the indexes that the guide calls critical, under the guide's names."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.ids import uuid7
from app.db import audit_tables, hold_table, token_table  # noqa: F401  # they are part of the metadata
from app.db.base import (
    EAGER_DEFAULTS,
    FIRST,
    LAST,
    Base,
    JsonObject,
    Stamped,
    TenantOwned,
    json_object,
    length,
    one_of,
)
from app.db.ddl import declare

PLATFORMS = ("phone", "whatsapp", "sms", "email", "telegram", "instagram", "messenger", "webchat")
SESSION_STATES = ("active", "idle", "closed")
SEVERITIES = ("debug", "info", "warning", "error", "critical")

RESOLUTION = (
    "resolve_tenant.sql",
    "own_resolve_tenant.sql",
    "announce_identifier.sql",
    "announce_identifier_trigger.sql",
)

EMPTY_OBJECT = text("'{}'::jsonb")
# CASE fixes the order: the transaction has its own number first, and draws the row's after that. So once every
# transaction that had a number at some moment has ended, no row comes any more whose arrival was drawn before it.
ARRIVAL = text("CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('audit_arrivals') END")


class Tenant(Stamped, Base):
    """One hotel: whose guests, sessions and audit trail the rows of all other tables are."""

    __tablename__ = "tenants"
    __table_args__ = (
        length("name", 200),
        length("timezone", 64),
        json_object("settings"),
        # Whether there is a hotel is not the service's to decide.
        {"info": {"service_may": "SELECT, UPDATE", "searched": True}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, server_default=text("uuid7()"), sort_order=FIRST)
    # A tenant belongs to itself: policies and triggers can then be written once for all tables. Generated,
    # so that it can never say anything else; nothing writes it, and COPY leaves it out.
    tenant_id: Mapped[UUID] = mapped_column(Computed("id", persisted=True), nullable=False, sort_order=FIRST + 1)
    name: Mapped[str]
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    settings: Mapped[JsonObject] = mapped_column(server_default=EMPTY_OBJECT)


class TenantUserIdentifier(TenantOwned, Base):
    """What a guest is known by on a platform: a phone number, an e-mail address. A guest may have several."""

    __tablename__ = "tenant_user_identifiers"

    user_id: Mapped[UUID]
    platform: Mapped[str]
    identifier_value: Mapped[str] = mapped_column(info={"sensitive": True})
    verified_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(viewonly=True, lazy="raise")

    __table_args__ = (
        one_of("platform", PLATFORMS),
        length("identifier_value", 320),
        # Stronger than the guide's: unique, since this pair decides which tenant a message belongs to and
        # must not name two; among live rows, so that a removed identifier can be given out again; with
        # tenant_id inside, so that the answer comes from the index alone. It cannot lead with tenant_id: the
        # tenant is the question.
        Index(
            "idx_tenant_user_identifiers_value_platform",
            "identifier_value",
            "platform",
            unique=True,
            postgresql_include=["tenant_id"],
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Stronger than the guide's (tenant_id), which is a prefix of the primary key and would serve nothing
        # new: with user_id, among live rows, it lists a tenant's guests in order and finds one guest's
        # identifiers.
        Index(
            "idx_tenant_user_identifiers_tenant_id",
            "tenant_id",
            "user_id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # The tenant is asked for before it is known, and whoever keeps the answer hears of its changes.
        {"info": {"searched": True, "followed_by": RESOLUTION}},
    )


class Session(TenantOwned, Base):
    """A guest's conversation. `version` counts its changes: a stale writer's UPDATE finds no row."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID]
    identifier_id: Mapped[UUID]
    platform: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="active")
    version: Mapped[int] = mapped_column(server_default=text("1"))
    # What was said: it changes with every message, and the audit trail is no place to keep it.
    context: Mapped[JsonObject] = mapped_column(server_default=EMPTY_OBJECT, info={"sensitive": True})
    last_message_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    closed_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(viewonly=True, lazy="raise")
    identifier: Mapped[TenantUserIdentifier] = relationship(viewonly=True, lazy="raise")

    __mapper_args__: Any = EAGER_DEFAULTS | {"version_id_col": version}
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "identifier_id"],
            ["tenant_user_identifiers.tenant_id", "tenant_user_identifiers.id"],
        ),
        one_of("platform", PLATFORMS),
        one_of("state", SESSION_STATES),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
        json_object("context"),
        Index("idx_sessions_tenant_id_created_at", "tenant_id", text("created_at DESC")),
        Index("idx_sessions_user_id_created_at", "user_id", text("created_at DESC")),
        # No column that every message changes (last_message_at, context, version) is in an index of this
        # table, so that such an update can stay heap-only; this one is written when a conversation starts or
        # ends, and small.
        Index("idx_sessions_state", "state", postgresql_where=text("state = 'active'")),
        # Not of the guide: it stands behind the foreign key, and finds the sessions of an identifier.
        Index(None, "tenant_id", "identifier_id"),
    )


class AuditLog(TenantOwned, Base):
    """One event of the audit trail: who did what to which resource, and when by the server's clock."""

    __tablename__ = "audit_logs"

    # clock_timestamp(): events of one transaction keep their order.
    timestamp: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    event_type: Mapped[str]
    severity: Mapped[str] = mapped_column(server_default="info")
    user_id: Mapped[UUID | None]
    resource: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[JsonObject] = mapped_column(server_default=EMPTY_OBJECT)
    # In which order rows came, whatever time they carry: see app/db/audit_tables.py. 0 in rows from before.
    arrival: Mapped[int] = mapped_column(server_default=ARRIVAL, sort_order=LAST + 3)

    tenant: Mapped[Tenant] = relationship(viewonly=True, lazy="raise")

    __table_args__ = (
        length("event_type", 100),
        one_of("severity", SEVERITIES),
        length("resource", 500),
        length("request_id", 200),
        json_object("details"),
        Index("idx_audit_logs_tenant_id_timestamp", "tenant_id", text("timestamp DESC")),
        Index("idx_audit_logs_user_id_timestamp", "user_id", text("timestamp DESC")),
        Index("idx_audit_logs_event_type_timestamp", "event_type", text("timestamp DESC")),
        Index(
            "idx_audit_logs_severity_timestamp",
            "severity",
            text("timestamp DESC"),
            postgresql_where=text("severity IN ('critical', 'error')"),
        ),
        # Rows lie in the order in which they came, so that a summary of each stretch of pages finds those that
        # are not counted yet, and those of a span of time over all tenants, at a thousandth of a btree's size.
        Index(
            "idx_audit_logs_arrival",
            "arrival",
            "timestamp",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
        ),
        # Search in the details (app/db/sql/search_audit_logs.sql). With the tenant in the index, no entry of
        # another tenant is looked at: 386 buffers where a policy's filter took 71,616.
        Index(
            "idx_audit_logs_tenant_id_details",
            "tenant_id",
            text("(details::text) gin_trgm_ops"),
            postgresql_using="gin",
        ),
        # Rows are only ever added: at the default of 20 % the table is vacuumed so late that index-only
        # counts must look into the heap, which took a hundred times the buffers at 2 M rows.
        {
            "postgresql_with": {"autovacuum_vacuum_insert_scale_factor": 0.01},
            "info": {"trail": True, "searched": True},
        },
    )


class Lock(TenantOwned, Base):
    """A lease on a resource. Its row stays when it is released, and the next holder takes the same row.

    So `fencing_token`, raised by one with every grant, never repeats. That is also why no row is ever
    removed.
    """

    __tablename__ = "locks"

    resource: Mapped[str]
    owner: Mapped[str]
    fencing_token: Mapped[int] = mapped_column(server_default=text("1"))
    acquired_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    expires_at: Mapped[datetime] = mapped_column(info={"heartbeat": True})
    released_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(viewonly=True, lazy="raise")

    __table_args__ = (
        length("resource", 500),
        length("owner", 200),
        CheckConstraint("fencing_token >= 1", name="fencing_token"),
        CheckConstraint("expires_at >= acquired_at", name="expires_at"),
        CheckConstraint("released_at >= acquired_at", name="released_at"),
        # Stronger than the guide's: unique, so that a resource has one holder, and that over all rows, so
        # that the token is counted on from the holder before.
        Index("idx_locks_resource_tenant_id", "resource", "tenant_id", unique=True),
        Index("idx_locks_acquired_at", "acquired_at", postgresql_where=text("released_at IS NULL")),
        # A renewal changes expires_at, which no index holds, and finds room on its own page: a heap-only
        # update that writes to no index (all of 16,719 in a measurement).
        {"postgresql_with": {"fillfactor": 50}},
    )


metadata = Base.metadata
declare(metadata)
