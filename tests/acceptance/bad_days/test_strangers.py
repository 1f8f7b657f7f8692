"""Somebody else answers, or nobody: exit code 3, and no waiting beyond the limit."""

import time

import pytest

from dbvitals.sandbox import RedisServer
from tests.acceptance.bad_days.conftest import Refused
from tests.acceptance.bad_days.stubs import hang_up, never_answering, postgres_of_version, serving

NOT_A_POSTGRES = "something answers there, but it is not a PostgreSQL: check the host and the port"


def test_a_host_that_drops_everything_is_given_up_in_time(refused: Refused) -> None:
    started = time.monotonic()
    with never_answering() as port:
        line = refused(3, "--host", "127.0.0.1", "--port", port, "--connect-timeout", "1")
    assert line == (
        f"cannot connect to 127.0.0.1:{port}/agente_hotel: connection timeout expired: "
        "check the host, the port and the firewall, or raise --connect-timeout"
    )
    assert time.monotonic() - started < 6


def test_a_closed_port_says_what_to_check(refused: Refused) -> None:
    line = refused(3, "--host", "127.0.0.1", "--port", "1")
    assert line.endswith(
        "127.0.0.1:1/agente_hotel: Connection refused: check the host and the port, and that the server runs"
    )


def test_a_redis(refused: Refused, redis_server: RedisServer) -> None:
    """It waits for the rest of what it takes for a command; libpq waits for an answer."""
    port = str(redis_server.port)
    line = refused(3, "--host", redis_server.host, "--port", port, "--connect-timeout", "1")
    assert "connection timeout expired: check the host, the port" in line


def test_a_server_that_hangs_up(refused: Refused) -> None:
    with serving(hang_up) as port:
        line = refused(3, "--host", "127.0.0.1", "--port", port)
    assert line.endswith(": server closed the connection unexpectedly: check that it is a PostgreSQL, and see its log")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_another_protocol(refused: Refused, mode: str) -> None:
    with serving(lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        line = refused(3, "--host", "127.0.0.1", "--port", port, "--sslmode", mode)
    assert line.endswith(f"H: {NOT_A_POSTGRES}")


@pytest.mark.parametrize("version", ["13.22", "9.6.24", "1.24.1/bouncer"])
def test_a_server_that_is_too_old_or_a_pooler_s_console(refused: Refused, version: str) -> None:
    """A stub stands in: no package of PostgreSQL 13 runs everywhere, and PgBouncer's console answers just so."""
    with serving(postgres_of_version(version)) as port:
        line = refused(3, "--host", "127.0.0.1", "--port", port)
    assert line == (
        f"127.0.0.1:{port}/agente_hotel answers as {version}: "
        "dbvitals reads PostgreSQL 14 to 18; check the host and the port"
    )
