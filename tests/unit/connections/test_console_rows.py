"""Rows of PgBouncer's console: each version has other columns."""

from dbvitals.collect.pgbouncer import link_of, most_connections, pool_of

OLD = {"database": "hotel", "user": "u", "cl_active": "3", "cl_waiting": "1", "sv_active": "3", "maxwait": "2"}


def test_trap_44_a_missing_column_is_unknown_and_a_new_one_no_trouble() -> None:
    pool = pool_of(OLD | {"from_the_future": 1}, {})
    assert (pool.clients_waiting, pool.servers_idle, pool.mode, pool.size) == (1, None, None, None)
    assert pool.max_wait_seconds == 2


def test_trap_42_the_wait_has_its_microseconds() -> None:
    assert pool_of(OLD | {"maxwait_us": "300000"}, {}).max_wait_seconds == 2.3


def test_the_reserve_was_renamed() -> None:
    assert pool_of(OLD, {"hotel": {"reserve_pool": 4}}).reserve == 4
    assert pool_of(OLD, {"hotel": {"reserve_pool_size": 5, "pool_size": 20}}).reserve == 5


def test_a_client_without_a_server_has_no_link() -> None:
    client = {"addr": "10.0.0.1", "port": 40123, "link": "", "database": "hotel", "user": "u"}
    assert link_of(client, {}) is None
    found = link_of(client | {"link": "0xA"}, {"0xA": {"ptr": "0xA", "remote_pid": 4711}})
    assert found is not None
    assert (found.client_port, found.server_pid, found.application_name) == (40123, 4711, "")


def test_only_a_limit_on_the_whole_database_is_a_supply() -> None:
    assert most_connections([{"max_connections": 50}, {"max_connections": 20}]) == 70
    assert most_connections([{"max_connections": 0}]) is None
    assert most_connections([]) is None
