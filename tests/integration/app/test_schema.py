"""The migrated schema on real servers: what it keeps by itself, and what it refuses."""

from collections.abc import Callable
from itertools import pairwise
from uuid import RFC_4122, UUID

import psycopg
import pytest
from psycopg import errors, sql

from app.core.ids import uuid7

Connection = psycopg.Connection[tuple[object, ...]]

TABLES = ("tenants", "tenant_user_identifiers", "sessions", "audit_logs", "locks")

# The guide's "Critical Indexes": table, key columns, predicate as PostgreSQL writes it. Where the model makes one
# stronger (and says why there), its whole definition stands in STRONGER.
GUIDE = {
    "idx_sessions_tenant_id_created_at": ("sessions", "(tenant_id, created_at DESC)", ""),
    "idx_sessions_user_id_created_at": ("sessions", "(user_id, created_at DESC)", ""),
    "idx_sessions_state": ("sessions", "(state)", " WHERE (state = 'active'::text)"),
    "idx_audit_logs_tenant_id_timestamp": ("audit_logs", '(tenant_id, "timestamp" DESC)', ""),
    "idx_audit_logs_user_id_timestamp": ("audit_logs", '(user_id, "timestamp" DESC)', ""),
    "idx_audit_logs_event_type_timestamp": ("audit_logs", '(event_type, "timestamp" DESC)', ""),
    "idx_audit_logs_severity_timestamp": (
        "audit_logs",
        '(severity, "timestamp" DESC)',
        " WHERE (severity = ANY (ARRAY['critical'::text, 'error'::text]))",
    ),
    "idx_locks_acquired_at": ("locks", "(acquired_at)", " WHERE (released_at IS NULL)"),
}
STRONGER = {
    "idx_locks_resource_tenant_id": "CREATE UNIQUE INDEX idx_locks_resource_tenant_id ON public.locks"
    " USING btree (resource, tenant_id)",
    "idx_tenant_user_identifiers_value_platform": (
        "CREATE UNIQUE INDEX idx_tenant_user_identifiers_value_platform ON public.tenant_user_identifiers"
        " USING btree (identifier_value, platform) INCLUDE (tenant_id) WHERE (deleted_at IS NULL)"
    ),
    "idx_tenant_user_identifiers_tenant_id": (
        "CREATE INDEX idx_tenant_user_identifiers_tenant_id ON public.tenant_user_identifiers"
        " USING btree (tenant_id, user_id) WHERE (deleted_at IS NULL)"
    ),
}


@pytest.fixture
def hotel(migrated: str, connect: Callable[[str], Connection]) -> Connection:
    """A connection to a migrated database."""
    return connect(migrated)


def scalar(connection: Connection, query: str, *values: object) -> object:
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]


def add_tenant(connection: Connection, name: str = "Hotel Miramar") -> UUID:
    made = scalar(connection, "insert into tenants (name) values (%s) returning id", name)
    assert isinstance(made, UUID)
    return made


def add_identifier(connection: Connection, tenant: UUID, value: str, platform: str = "phone") -> UUID:
    made = scalar(
        connection,
        "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
        " values (%s, %s, %s, %s) returning id",
        tenant,
        uuid7(),
        platform,
        value,
    )
    assert isinstance(made, UUID)
    return made


def add_session(connection: Connection, tenant: UUID, identifier: UUID) -> UUID:
    made = scalar(
        connection,
        "insert into sessions (tenant_id, user_id, identifier_id, platform) values (%s, %s, %s, 'phone') returning id",
        tenant,
        uuid7(),
        identifier,
    )
    assert isinstance(made, UUID)
    return made


def add_lock(connection: Connection, tenant: UUID, resource: str) -> UUID:
    made = scalar(
        connection,
        "insert into locks (tenant_id, resource, owner, expires_at)"
        " values (%s, %s, 'desk', clock_timestamp() + interval '10 seconds') returning id",
        tenant,
        resource,
    )
    assert isinstance(made, UUID)
    return made


def add_one_of_each(connection: Connection) -> None:
    tenant = add_tenant(connection)
    add_session(connection, tenant, add_identifier(connection, tenant, "+34 600 000 001"))
    add_lock(connection, tenant, "room:101")
    connection.execute("insert into audit_logs (tenant_id, event_type) values (%s, 'login')", [tenant])


OWN = {
    "alembic_version_pkc",
    "idx_api_tokens_id",
    "idx_audit_days_counted_to",
    "idx_audit_days_tenant_id_day",
    "idx_audit_logs_arrival",
    "idx_audit_logs_tenant_id_details",
    "idx_audit_seals_tenant_id_number",
    "idx_room_holds_tenant_id_room_night",
    "idx_room_holds_tenant_id_session_id",
    "idx_sessions_tenant_id_identifier_id",
}
"""Indexes that the guide does not ask for: behind foreign keys, for the trail's counts and search, holds, tokens."""


def test_indexes_of_the_guide_are_there_as_the_guide_has_them(hotel: Connection) -> None:
    rows = hotel.execute("select indexname, indexdef from pg_indexes where schemaname = 'public'").fetchall()
    definitions = {str(name): str(definition) for name, definition in rows}
    wanted = {
        name: f"CREATE INDEX {name} ON public.{table} USING btree {columns}{predicate}"
        for name, (table, columns, predicate) in GUIDE.items()
    }
    wanted |= STRONGER
    assert wanted.items() <= definitions.items()
    others = {name for name in definitions.keys() - wanted.keys() if not name.endswith("_pkey")}
    assert others == OWN


def test_every_foreign_key_has_an_index_that_begins_with_its_columns(hotel: Connection) -> None:
    bare = hotel.execute(
        "select conname from pg_constraint c where contype = 'f' and not exists ("
        " select from pg_index i where i.indrelid = c.conrelid and i.indpred is null and i.indisvalid"
        " and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)"
    ).fetchall()
    assert bare == []
    assert scalar(hotel, "select count(*) from pg_constraint where contype = 'f'") == 10


def test_a_tenant_belongs_to_itself(hotel: Connection) -> None:
    tenant = add_tenant(hotel)
    assert scalar(hotel, "select tenant_id from tenants") == tenant
    with pytest.raises(errors.GeneratedAlways):
        hotel.execute("update tenants set tenant_id = %s", [uuid7()])


def test_new_rows_are_stamped_by_the_server(hotel: Connection) -> None:
    add_one_of_each(hotel)
    for table in TABLES:
        stamped = sql.SQL(
            "select bool_and(created_at = updated_at and created_at between now() - interval '1 minute' and now()"
            " and deleted_at is null) from {}"
        )
        assert hotel.execute(stamped.format(sql.Identifier(table))).fetchall() == [(True,)], table


# For each table and column, a statement that changes only that column.
CHANGES = [
    ("tenants", "name", "'Hotel Bellavista'"),
    ("tenants", "timezone", "'Europe/Madrid'"),
    ("tenants", "settings", "'{\"stars\": 4}'"),
    ("tenants", "deleted_at", "now()"),
    ("tenants", "created_at", "created_at - interval '1 day'"),
    ("tenants", "updated_at", "now() - interval '1 year'"),
    ("tenant_user_identifiers", "verified_at", "now()"),
    ("sessions", "context", "'{\"nights\": 2}'"),
    ("sessions", "updated_at", "now() - interval '1 year'"),
    ("audit_logs", "user_id", "uuid7()"),
    ("locks", "expires_at", "expires_at + interval '10 seconds'"),
]


def test_a_change_moves_updated_at(hotel: Connection) -> None:
    add_one_of_each(hotel)
    for table, column, value in CHANGES:
        before = scalar(hotel, f"select updated_at from {table}")
        hotel.execute(f"update {table} set {column} = {value}".encode())
        moved = f"select updated_at > %s and updated_at <= clock_timestamp() from {table}"
        assert scalar(hotel, moved, before) is True, (table, column)


def test_an_update_that_changes_nothing_leaves_updated_at_alone(hotel: Connection) -> None:
    add_one_of_each(hotel)
    for table in TABLES:
        before = scalar(hotel, f"select updated_at from {table}")
        hotel.execute(f"update {table} set created_at = created_at, deleted_at = deleted_at".encode())
        assert scalar(hotel, f"select updated_at from {table}") == before, table


def test_two_changes_in_one_transaction_have_two_stamps(hotel: Connection) -> None:
    add_tenant(hotel)
    with hotel.transaction():
        stamps = [scalar(hotel, "update tenants set name = name || '!' returning updated_at") for _ in range(2)]
    assert stamps[0] != stamps[1]


def test_on_conflict_do_update_moves_updated_at(hotel: Connection) -> None:
    tenant = add_tenant(hotel)
    add_lock(hotel, tenant, "room:101")
    before = scalar(hotel, "select updated_at from locks")
    upsert = (
        "insert into locks (tenant_id, resource, owner, expires_at)"
        " values (%s, 'room:101', 'spa', clock_timestamp() + interval '1 minute')"
        " on conflict (resource, tenant_id) do update set owner = excluded.owner, expires_at = excluded.expires_at,"
        " fencing_token = locks.fencing_token + 1"
    )
    hotel.execute(upsert.encode(), [tenant])
    found = hotel.execute("select owner, fencing_token, updated_at > %s from locks", [before]).fetchall()
    assert found == [("spa", 2, True)]


def test_psql_moves_updated_at(migrated: str, hotel: Connection, psql: Callable[..., object]) -> None:
    add_tenant(hotel)
    before = scalar(hotel, "select updated_at from tenants")
    psql(migrated, "update tenants set name = 'Hotel Bellavista';")
    assert scalar(hotel, "select updated_at > %s from tenants", before) is True


def test_a_session_cannot_link_to_another_tenants_identifier(hotel: Connection) -> None:
    ours, theirs = add_tenant(hotel), add_tenant(hotel, "Hotel Bellavista")
    identifier = add_identifier(hotel, theirs, "+34 600 000 001")
    with pytest.raises(errors.ForeignKeyViolation):
        add_session(hotel, ours, identifier)
    add_session(hotel, theirs, identifier)
    with pytest.raises(errors.ForeignKeyViolation):
        hotel.execute("update sessions set tenant_id = %s", [ours])


def test_no_row_belongs_to_a_tenant_that_is_not(hotel: Connection) -> None:
    nobody = uuid7()
    with pytest.raises(errors.ForeignKeyViolation):
        add_lock(hotel, nobody, "room:101")
    with pytest.raises(errors.ForeignKeyViolation):
        add_identifier(hotel, nobody, "+34 600 000 001")


def test_a_live_identifier_names_one_tenant(hotel: Connection) -> None:
    ours, theirs = add_tenant(hotel), add_tenant(hotel, "Hotel Bellavista")
    for value in ("+34 600 000 001", "o'neil\"@example.com", "🏨" * 80, "a,b\n<script>"):
        first = add_identifier(hotel, ours, value)
        with pytest.raises(errors.UniqueViolation):
            add_identifier(hotel, theirs, value)
        add_identifier(hotel, theirs, value, platform="whatsapp")
        hotel.execute("update tenant_user_identifiers set deleted_at = now() where id = %s", [first])
        add_identifier(hotel, theirs, value)
        with pytest.raises(errors.UniqueViolation):
            hotel.execute("update tenant_user_identifiers set deleted_at = null where id = %s", [first])


def test_a_resource_has_one_lock_row_in_each_tenant_released_or_not(hotel: Connection) -> None:
    ours, theirs = add_tenant(hotel), add_tenant(hotel, "Hotel Bellavista")
    add_lock(hotel, ours, "room:101")
    add_lock(hotel, theirs, "room:101")
    hotel.execute("update locks set released_at = clock_timestamp(), deleted_at = clock_timestamp()")
    with pytest.raises(errors.UniqueViolation):
        add_lock(hotel, ours, "room:101")


def test_renewing_a_lock_writes_no_index(hotel: Connection) -> None:
    add_lock(hotel, add_tenant(hotel), "room:101")
    for _ in range(20):
        hotel.execute("update locks set expires_at = expires_at + interval '10 seconds'")
    counted = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'locks'"
    hotel.execute("select pg_stat_force_next_flush()")
    assert hotel.execute(counted.encode()).fetchall() == [(20, 20)]


REFUSED = [
    "update tenants set name = ''",
    "update tenants set name = repeat('x', 201)",
    "update tenants set settings = '[]'",
    "update tenant_user_identifiers set platform = 'fax'",
    "update tenant_user_identifiers set identifier_value = repeat('x', 321)",
    "update sessions set state = 'open'",
    "update sessions set state = 'closed'",
    "update sessions set closed_at = now()",
    "update sessions set context = 'null'",
    "update sessions set version = 0",
    "update audit_logs set severity = 'fatal'",
    "update audit_logs set event_type = ''",
    "update locks set released_at = acquired_at - interval '1 second'",
    "update locks set expires_at = acquired_at - interval '1 second'",
    "update locks set fencing_token = 0",
]


def test_values_that_mean_nothing_are_refused(hotel: Connection) -> None:
    add_one_of_each(hotel)
    for statement in REFUSED:
        with pytest.raises(errors.CheckViolation):
            hotel.execute(statement.encode())


def test_servers_uuids_are_version_7_and_in_order_of_time(hotel: Connection) -> None:
    made = [scalar(hotel, "select uuid7() from pg_sleep(0.002)") for _ in range(20)]
    identifiers = [item for item in made if isinstance(item, UUID)]
    assert len(identifiers) == 20
    assert {(item.version, item.variant) for item in identifiers} == {(7, RFC_4122)}
    assert all(earlier < later for earlier, later in pairwise(identifiers))
    assert len({item.int & (1 << 62) - 1 for item in identifiers}) == 20


def test_server_and_client_read_the_same_time_into_a_uuid(hotel: Connection) -> None:
    row = hotel.execute("select uuid7(), floor(extract(epoch from clock_timestamp()) * 1000)::bigint").fetchone()
    assert row is not None
    made, now = row
    assert isinstance(made, UUID)
    assert isinstance(now, int)
    assert 0 <= now - (made.int >> 80) <= 1000
    assert abs((uuid7().int >> 80) - now) <= 5000


def test_servers_uuids_do_not_depend_on_the_search_path(migrated: str, hotel: Connection) -> None:
    hotel.execute("create schema trap")
    hotel.execute("create function trap.gen_random_uuid() returns uuid return null::uuid")
    hotel.execute("set search_path = trap, pg_catalog, public")
    assert scalar(hotel, "select uuid7()") is not None
