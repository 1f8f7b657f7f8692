"""The models through SQLAlchemy: what comes back from the server, stale writers, and no silent loading."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import NullPool

from app.core.ids import uuid7
from app.db.tables import AuditLog, Lock, Session, Tenant, TenantUserIdentifier


@pytest.fixture
def engine(migrated: str) -> Engine:
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(migrated), poolclass=NullPool)


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the engine has sent so far."""
    sent: list[str] = []

    def note(*arguments: object) -> None:
        sent.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def add_conversation(session: OrmSession) -> Session:
    tenant = Tenant(name="Hotel Miramar")
    session.add(tenant)
    session.flush()
    guest = uuid7()
    identifier = TenantUserIdentifier(
        tenant_id=tenant.id, user_id=guest, platform="whatsapp", identifier_value="+34 600 000 001"
    )
    session.add(identifier)
    session.flush()
    conversation = Session(
        tenant_id=tenant.id, user_id=guest, identifier_id=identifier.id, platform="whatsapp", context={"nights": 2}
    )
    session.add(conversation)
    session.commit()
    return conversation


def test_what_the_server_sets_comes_back_without_another_statement(engine: Engine, statements: list[str]) -> None:
    with OrmSession(engine) as session:
        tenant = Tenant(name="Hotel Miramar")
        session.add(tenant)
        session.flush()
        born = tenant.updated_at
        assert (tenant.tenant_id, tenant.timezone, tenant.settings) == (tenant.id, "UTC", {})
        tenant.name = "Hotel Bellavista"
        session.flush()
        assert tenant.updated_at > born
    assert [statement.split()[0] for statement in statements] == ["INSERT", "UPDATE"]


def test_a_stale_writer_is_refused(engine: Engine) -> None:
    with OrmSession(engine) as session, OrmSession(engine) as other:
        conversation = add_conversation(session)
        key = (conversation.tenant_id, conversation.id)
        stale = other.get_one(Session, key)
        conversation.context = {"nights": 3}
        session.commit()
        assert conversation.version == 2
        stale.context = {"nights": 4}
        with pytest.raises(StaleDataError):
            other.commit()


def test_relationships_load_only_when_asked(engine: Engine) -> None:
    with OrmSession(engine) as session:
        add_conversation(session)
        session.expunge_all()
        conversation = session.scalars(select(Session)).one()
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = conversation.tenant
        session.expunge_all()
        asked = select(Session).options(joinedload(Session.tenant), joinedload(Session.identifier))
        conversation = session.scalars(asked).one()
        found = (conversation.tenant.name, conversation.identifier.identifier_value)
    assert found == ("Hotel Miramar", "+34 600 000 001")


def test_audit_rows_and_locks_belong_to_their_tenant(engine: Engine) -> None:
    with OrmSession(engine) as session:
        tenant = add_conversation(session).tenant_id
        lock = Lock(tenant_id=tenant, resource="room:101", owner="desk")
        lock.expires_at = lock.acquired_at = session.scalars(select(Session.created_at)).one()
        session.add_all([AuditLog(tenant_id=tenant, event_type="login", details={"from": "desk"}), lock])
        session.commit()
        session.expunge_all()
        asked = select(AuditLog).where(AuditLog.event_type == "login").options(joinedload(AuditLog.tenant))
        entry = session.scalars(asked).one()
        held = session.scalars(select(Lock).options(joinedload(Lock.tenant))).one()
        assert (entry.tenant.id, entry.severity, entry.details) == (tenant, "info", {"from": "desk"})
        assert (held.tenant.id, held.fencing_token, held.released_at) == (tenant, 1, None)
