"""Servers that are not there, not ours or not PostgreSQL: exit code 3, and one line that says how to mend it."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Run, bare_environment
from tests.acceptance.cli.lines import the_line


@contextlib.contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """A port at which something answers each greeting with the same bytes, or, with none, never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    if answer:
                        connection.recv(1024)
                        connection.sendall(answer)
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield str(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def test_nobody_listens(run: Run) -> None:
    port = closed_port()
    line = the_line(run("indexes", "--host", "127.0.0.1", "--port", port), 3)
    assert f"127.0.0.1:{port}/agente_hotel" in line
    assert "refused" in line


def test_no_such_host(run: Run) -> None:
    assert "no-such-host.invalid" in the_line(run("indexes", "--host", "no-such-host.invalid"), 3)


def test_a_wrong_password(run: Run, here: dict[str, str]) -> None:
    line = the_line(run("indexes", env=here | {"POSTGRES_PASSWORD": "wr0ng"}), 3)
    assert "password authentication failed" in line
    assert "wr0ng" not in line


def test_no_such_database(run: Run, here: dict[str, str]) -> None:
    assert 'database "absent" does not exist' in the_line(run("indexes", "--database", "absent", env=here), 3)


def test_a_server_without_tls(run: Run, here: dict[str, str]) -> None:
    assert "SSL" in the_line(run("indexes", "--sslmode", "require", env=here), 3)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-ERR unknown command\r\n", b"\x00" * 64])
def test_what_answers_is_no_postgresql(run: Run, answer: bytes) -> None:
    with listening(answer) as port:
        the_line(run("indexes", "--host", "127.0.0.1", "--port", port), 3)


def test_nobody_answers_in_time(run: Run) -> None:
    with listening(b"") as port:
        line = the_line(run("indexes", "--host", "127.0.0.1", "--port", port, "--connect-timeout", "1"), 3)
    assert "timeout" in line


def test_ctrl_c_is_130_without_a_traceback(tmp_path: Path) -> None:
    with listening(b"") as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "dbvitals", "indexes", "--verbose", "--host", "127.0.0.1", "--port", port],
            cwd=tmp_path,
            env=bare_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert "connecting" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, error.strip()) == ("", "dbvitals: interrupted; nothing was written")
    assert not (tmp_path / ".playbook").exists()


def test_with_verbose_an_error_comes_with_its_traceback(run: Run) -> None:
    done = run("indexes", "--host", "127.0.0.1", "--port", closed_port(), "--verbose")
    assert done.returncode == 3
    assert "Traceback" in done.stderr
