"""Servers that let nobody in, or not this one: exit code 3, and what to do about it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer
from tests.acceptance.bad_days.conftest import Refused

PASSWORD = "s3cret-of-plain"

ROLES = f"""
CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE outside NOLOGIN PASSWORD '{PASSWORD}';
CREATE ROLE narrow LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0;
"""


@pytest.fixture
def plain(server: PostgresServer, here: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a login without any special right."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(ROLES)
        yield here | {"POSTGRES_USER": "plain", "POSTGRES_PASSWORD": PASSWORD}
        connection.execute("DROP ROLE plain, outside, narrow")


def test_a_name_that_nobody_knows(refused: Refused) -> None:
    line = refused(3, "--host", "no-such-host.invalid")
    assert line.startswith("cannot connect to no-such-host.invalid:5432/agente_hotel: failed to resolve host ")
    assert line.endswith(": check --host or POSTGRES_HOST")
    assert "Errno" not in line


def test_a_service_whose_host_nobody_knows(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "services").write_text("[hotel]\nhost=no-such-host.invalid\n")
    line = refused(3, env={"PGSERVICE": "hotel", "PGSERVICEFILE": "services"})
    assert line.startswith('cannot connect to service hotel: could not translate host name "no-such-host.invalid"')
    assert line.endswith(": check the host of the service")


@pytest.mark.parametrize(
    ("services", "mend"), [("services", "check PGSERVICE and the service file"), ("absent", "check PGSERVICEFILE")]
)
def test_a_service_that_is_not_defined_is_a_wrong_call(
    refused: Refused, tmp_path: Path, services: str, mend: str
) -> None:
    (tmp_path / "services").write_text("[hotel]\nhost=localhost\n")
    line = refused(2, env={"PGSERVICE": "motel", "PGSERVICEFILE": services})
    assert line.startswith("cannot connect to service motel: ")
    assert line.endswith(f" not found: {mend}")


def test_a_socket_folder_without_a_server(refused: Refused, tmp_path: Path) -> None:
    line = refused(3, "--host", str(tmp_path))
    assert line.endswith(
        "/agente_hotel: No such file or directory: check the socket folder and the port, and that the server runs"
    )


def test_a_wrong_password_on_the_command_line(refused: Refused, here: dict[str, str]) -> None:
    line = refused(3, "--password", "wr0ng", env=here, secret="wr0ng", warned=True)
    assert line.endswith(': password authentication failed for user "postgres": check the user and the password')


def test_a_wrong_password_in_the_address(refused: Refused, here: dict[str, str]) -> None:
    address = f"postgresql://postgres:wr0ng@{here['POSTGRES_HOST']}:{here['POSTGRES_PORT']}/postgres"
    line = refused(3, "--dsn", address, secret="wr0ng", warned=True)
    assert line.endswith(': password authentication failed for user "postgres": check the user and the password')


def test_a_wrong_password_of_a_replica(refused: Refused, here: dict[str, str]) -> None:
    """The first node is the one that refuses: nothing of the replica's address is shown."""
    replica = "host=127.0.0.1 port=1 password=repl1ca"
    refused(3, "--replica", replica, env=here | {"POSTGRES_PASSWORD": "wr0ng"}, secret="repl1ca", warned=True)


def test_no_password(refused: Refused, here: dict[str, str]) -> None:
    here.pop("POSTGRES_PASSWORD")
    line = refused(3, env=here | {"PGPASSFILE": "absent"})
    assert line.endswith(": no password supplied: give a password: POSTGRES_PASSWORD, PGPASSFILE or --password")


def test_no_tls_where_it_is_required(refused: Refused, here: dict[str, str]) -> None:
    line = refused(3, "--sslmode", "require", env=here)
    assert line.endswith(
        ": server does not support SSL, but SSL was required: "
        "the server has no TLS: use --sslmode prefer if the network is trusted"
    )


@pytest.mark.parametrize("name", ["absent", "certificate", "ab\nsent \x1b[31m", "a failed: b", "😀" * 15 + "abc"])
def test_a_database_that_is_not_there_is_named_in_one_line(refused: Refused, here: dict[str, str], name: str) -> None:
    shown = name.replace("\n", " ").replace("\x1b", "\\x1b")
    line = refused(3, "--database", name, env=here)
    assert f'/{shown}: database "{shown}" does not exist: check the name; psql -l' in line


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [
        ("plain", "closed", 'permission denied for database "closed": GRANT CONNECT ON DATABASE … TO the login'),
        ("outside", "postgres", 'role "outside" is not permitted to log in: ALTER ROLE … LOGIN, or'),
        ("narrow", "postgres", 'too many connections for role "narrow": raise the CONNECTION LIMIT of that role'),
        ("plain", "asleep", 'database "asleep" is not currently accepting connections: ALTER DATABASE … ALLOW'),
    ],
)
def test_a_login_that_may_not(
    refused: Refused, server: PostgresServer, plain: dict[str, str], user: str, database: str, said: str
) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE closed TEMPLATE template0")
        connection.execute("CREATE DATABASE asleep TEMPLATE template0")
        connection.execute("REVOKE CONNECT ON DATABASE closed FROM public")
        connection.execute("ALTER DATABASE asleep ALLOW_CONNECTIONS false")
        try:
            line = refused(3, "--user", user, "--database", database, env=plain, secret=PASSWORD)
        finally:
            connection.execute("DROP DATABASE closed")
            connection.execute("DROP DATABASE asleep")
    assert line.startswith(f"cannot connect to {server.host}:{server.port}/{database}: {said}")


@pytest.mark.parametrize(
    ("taken", "given", "said"),
    [
        ("SELECT ON pg_class", "SELECT ON pg_class", "permission denied for table pg_class"),
        ("USAGE ON SCHEMA pg_catalog", "USAGE ON SCHEMA pg_catalog", "permission denied for schema pg_catalog"),
    ],
)
def test_a_login_that_may_not_read_the_catalogue(
    refused: Refused, server: PostgresServer, plain: dict[str, str], taken: str, given: str, said: str
) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"REVOKE {taken} FROM public")
        try:
            line = refused(3, env=plain, secret=PASSWORD)
        finally:
            connection.execute(f"GRANT {given} TO public")
    assert line == (
        f"the login may not read the catalogue on {server.host}:{server.port}/postgres: {said}: "
        "GRANT it that; PostgreSQL gives it to everybody"
    )


def test_a_server_that_refuses_this_address(refused: Refused, server: PostgresServer, here: dict[str, str]) -> None:
    rules = server.home / "data" / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for extra, said in (
            ("", "no pg_hba.conf entry for host"),
            ("host all all all reject\n", "pg_hba.conf rejects"),
        ):
            rules.write_text("local all all trust\n" + extra)
            connection.execute("SELECT pg_reload_conf()")
            try:
                line = refused(3, env=here)
            finally:
                rules.write_text(before)
                connection.execute("SELECT pg_reload_conf()")
            assert said in line
            assert line.endswith(": the server's pg_hba.conf does not let this user in from here")


def test_a_full_server(refused: Refused, crowded: PostgresServer) -> None:
    with psycopg.connect(crowded.dsn()):
        line = refused(3, "--dsn", crowded.dsn(user="plain"))
        assert "remaining connection slots are reserved" in line
        assert line.endswith(": the server is full: free a connection, or log in with a role that has reserved ones")
        with psycopg.connect(crowded.dsn()), psycopg.connect(crowded.dsn()):
            line = refused(3, "--dsn", crowded.dsn())
    assert "too many clients already" in line
    assert line.endswith(": the server is full: free a connection, or log in with a role that has reserved ones")
