"""What an audit row of the trigger says, what it hides, and that nobody can write, change or remove one."""

import hashlib
import hmac
from uuid import UUID

import pytest
from psycopg import errors
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.db.tables import AuditLog, Session, Tenant, TenantUserIdentifier, metadata
from tests.integration.app.audit_trigger.trail import Trail
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

HOSTILE = "o'neil\"@example.com,\n<script>🏨"


async def test_a_change_says_who_did_what_in_which_request(hotel: Hotel, service: Database) -> None:
    key = hotel.add_session(hotel.ours)
    guest = uuid7()
    trail = Trail(hotel=hotel)
    scope = TenantScope(hotel.ours.tenant_id, f"user:{guest}", "request-7")
    async with service.unit_of_work(scope) as session:
        await session.execute(update(Session).values(state="idle", version=2))
    found = trail.only()
    assert {name: found[name] for name in ("tenant_id", "user_id", "request_id", "event_type", "resource")} == {
        "tenant_id": str(scope.tenant_id),
        "user_id": str(guest),
        "request_id": "request-7",
        "event_type": "row.update",
        "resource": f"sessions/{key}",
    }
    assert found["details"] == {
        "operation": "update",
        "table": "sessions",
        "id": str(key),
        "actor": f"user:{guest}",
        "role": "test_service",
        "old": {"state": "active", "version": 1},
        "new": {"state": "idle", "version": 2},
    }


async def test_new_and_removed_rows_are_recorded_whole(hotel: Hotel) -> None:
    trail = Trail(hotel=hotel)
    name = hotel.one("insert into tenants (name) values (%s) returning id", HOSTILE)[0]
    made = trail.only()["details"]
    assert made["old"] is None
    assert made["new"].keys() == set(Tenant.__table__.columns.keys())
    assert (made["new"]["name"], made["new"]["tenant_id"]) == (HOSTILE, str(name))
    key = hotel.add_identifier(hotel.ours, "+1")
    trail = Trail(hotel=hotel)
    hotel.owner.execute("delete from tenant_user_identifiers where id = %s", [key])
    removed = trail.only()["details"]
    assert removed["new"] is None
    assert removed["old"].keys() == set(TenantUserIdentifier.__table__.columns.keys())


async def test_without_an_actor_the_login_is_named(hotel: Hotel) -> None:
    trail = Trail(hotel=hotel)
    hotel.owner.execute("update tenants set name = 'C' where id = %s", [hotel.ours.tenant_id])
    found = trail.only()
    assert (found["details"]["actor"], found["details"]["role"]) == ("database:postgres", "postgres")
    assert (found["user_id"], found["request_id"]) == (None, None)


@pytest.mark.parametrize("actor", ["user:no-uuid", "user:", HOSTILE, "x" * 5000])
async def test_odd_actors_and_requests_do_not_stop_the_change(hotel: Hotel, service: Database, actor: str) -> None:
    trail = Trail(hotel=hotel)
    async with service.unit_of_work(TenantScope(hotel.ours.tenant_id, actor, "r" * 5000)) as session:
        await session.execute(update(Tenant).values(name=HOSTILE))
    found = trail.only()
    assert (found["details"]["actor"], found["user_id"], found["request_id"]) == (actor, None, "r" * 200)


async def test_work_on_all_tenants_is_filed_under_the_tenant_of_each_row(hotel: Hotel, service: Database) -> None:
    trail = Trail(hotel=hotel)
    async with service.admin("operator", "request-9") as session:
        await session.execute(update(Tenant).values(timezone="Europe/Madrid"))
    rows = hotel.owner.execute("select tenant_id, details ->> 'actor' from audit_logs").fetchall()
    assert set(rows) == {(scope.tenant_id, "operator") for scope in (hotel.ours, hotel.theirs)}
    assert sum(trail.changes().values()) == 2


async def test_sensitive_values_are_hmacs_by_the_key_that_only_the_trigger_reads(hotel: Hotel) -> None:
    trail = Trail(hotel=hotel)
    hotel.add_identifier(hotel.ours, HOSTILE)
    inner, outer = hotel.one("select inner_pad, outer_pad from audit_keys")
    assert isinstance(inner, bytes)
    assert isinstance(outer, bytes)
    key = bytes(byte ^ 0x36 for byte in inner)
    assert bytes(byte ^ 0x5C for byte in outer) == key
    assert len(set(key[:32])) > 8
    wanted = hmac.new(key, HOSTILE.encode(), hashlib.sha256).hexdigest()
    assert trail.only()["details"]["new"]["identifier_value"] == wanted
    assert HOSTILE not in str(hotel.owner.execute("select details::text from audit_logs").fetchall())


async def test_an_update_hides_the_old_and_the_new_value_and_nulls_stay_nulls(hotel: Hotel) -> None:
    session = hotel.add_session(hotel.ours)
    trail = Trail(hotel=hotel)
    hotel.owner.execute("update sessions set context = %s where id = %s", ['{"card": "4111"}', session])
    details = trail.only()["details"]
    assert {len(details[side]["context"]) for side in ("old", "new")} == {64}
    assert details["old"]["context"] != details["new"]["context"]
    assert "4111" not in str(details)


async def test_the_same_value_has_the_same_hash_in_one_database_and_another_in_the_next(hotel: Hotel) -> None:
    """So the trail shows that an identifier came back, and a leaked hash is worth nothing elsewhere."""
    keys = [hotel.one("select audit_hash(%s)", value)[0] for value in ("+1", "+1", "+2")]
    assert keys[0] == keys[1] != keys[2]
    hotel.owner.execute("delete from audit_keys")
    hotel.owner.execute(
        "insert into audit_keys (inner_pad, outer_pad) values (decode(repeat('36', 64), 'hex'), '\\x5c')"
    )
    assert hotel.one("select audit_hash('+1')")[0] != keys[0]


async def test_the_service_cannot_forge_change_or_remove_a_record(hotel: Hotel, service: Database) -> None:
    tenant = hotel.ours.tenant_id
    forgeries = [
        insert(AuditLog).values(tenant_id=tenant, event_type="row.update"),
        text("update audit_logs set severity = 'debug'"),
        text("delete from audit_logs"),
        text("truncate audit_logs"),
        text("select audit_hash('x')"),
        text("update audit_keys set inner_pad = ''"),
        text("alter table sessions disable trigger audit_change"),
        text("set local session_replication_role = replica"),
    ]
    for begin in (lambda: service.unit_of_work(hotel.ours), lambda: service.admin("operator", "request-9")):
        for forgery in forgeries:
            with pytest.raises(DBAPIError) as caught:
                await run(begin, forgery)
            assert getattr(caught.value.orig, "sqlstate", None) == "42501", str(forgery)
    async with service.unit_of_work(hotel.ours) as session:
        await session.execute(insert(AuditLog).values(tenant_id=tenant, event_type="login"))


async def run(begin: object, statement: object) -> None:
    async with begin() as session:  # type: ignore[operator]
        await session.execute(statement)


async def test_a_right_given_by_mistake_is_not_enough(hotel: Hotel) -> None:
    hotel.owner.execute("grant update, delete, truncate on audit_logs to test_admin")
    hotel.owner.execute("set role test_admin")
    for statement in ("update audit_logs set severity = 'debug'", "delete from audit_logs", "truncate audit_logs"):
        with pytest.raises(errors.InsufficientPrivilege, match="audit_logs is append-only"):
            hotel.owner.execute(statement.encode())
    hotel.owner.execute("reset role")
    hotel.owner.execute("delete from audit_logs")  # retention is the owner's
    hotel.owner.execute("revoke all on audit_logs from test_admin")


async def test_nobodys_search_path_changes_what_the_trigger_does(hotel: Hotel) -> None:
    hotel.owner.execute("create schema trap")
    hotel.owner.execute("create function trap.lower(text) returns text language sql as 'select ''trapped'''")
    hotel.owner.execute("create table trap.audit_logs (like public.audit_logs including all)")
    trail = Trail(hotel=hotel)
    hotel.owner.execute("set search_path = trap, pg_catalog, public")
    hotel.owner.execute("update public.tenants set name = 'C' where id = %s", [hotel.ours.tenant_id])
    hotel.owner.execute("set search_path = public")
    assert trail.only()["event_type"] == "row.update"


async def test_every_tenant_table_has_the_trigger_but_the_trail_and_what_counts_it(hotel: Hotel) -> None:
    found = hotel.owner.execute(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
        " where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not exists ("
        " select from pg_trigger t where t.tgrelid = c.oid and t.tgfoid = 'audit_change'::regproc and t.tgenabled = 'O'"
        " and t.tgtype = 1 | 4 | 8 | 16)"  # FOR EACH ROW, INSERT, DELETE, UPDATE; AFTER is 0
    ).fetchall()
    assert {name for (name,) in found} == {"audit_logs", "audit_days", "audit_seals"} & set(metadata.tables)


async def test_marked_columns_are_those_that_the_trigger_hides(hotel: Hotel) -> None:
    """The trigger's arguments are those that the models' marks give."""
    for table in metadata.tables.values():
        marked = sorted(column.name for column in table.columns if column.info.get("sensitive"))
        row = hotel.owner.execute(
            "select pg_get_triggerdef(oid) from pg_trigger where tgname = 'audit_change' and tgrelid = %s::regclass",
            [table.name],
        ).fetchone()
        if row is None:
            assert not marked
        else:
            assert f"audit_change('{{{','.join(marked)}}}'" in str(row[0])


async def test_uuids_of_rows_are_the_keys_of_the_trail(hotel: Hotel) -> None:
    trail = Trail(hotel=hotel)
    key = hotel.add_identifier(hotel.ours, "+1")
    assert UUID(trail.only()["details"]["id"]) == key
