"""What is read off a driver's connection."""

import socket

import psycopg

from dbvitals.observe.drivers import UNKNOWN, Session, identify, in_transaction


class Asks:
    """A connection as asyncpg's: a transport, and the server's process id."""

    def __init__(self, address: object) -> None:
        self._transport = self
        self._address = address

    def get_server_pid(self) -> int:
        return 4711

    def get_extra_info(self, name: str) -> object:
        return self._address if name == "sockname" else None

    def is_in_transaction(self) -> bool:
        return True


def test_the_port_of_a_connection_over_tcp_is_read_off_its_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert identify(client) == Session(None, client.getsockname()[1])
        client.sendall(b"still open")


def test_a_unix_socket_has_no_port() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert identify(ours) == UNKNOWN


def test_asyncpg_tells_by_its_transport() -> None:
    assert identify(Asks(("::1", 5001, 0, 0))) == Session(4711, 5001)
    assert identify(Asks("/run/postgresql/.s.PGSQL.5432")) == Session(4711, None)
    assert in_transaction(Asks(None))


def test_a_driver_that_tells_nothing_is_unknown() -> None:
    assert identify(object()) == UNKNOWN
    assert not in_transaction(object())


def test_the_states_are_those_of_libpq() -> None:
    status = psycopg.pq.TransactionStatus

    class Told:
        def __init__(self, transaction_status: object) -> None:
            self.info = self
            self.transaction_status = transaction_status

    told = {state.name: in_transaction(Told(state)) for state in status}
    assert told == {"IDLE": False, "ACTIVE": False, "INTRANS": True, "INERROR": True, "UNKNOWN": False}
