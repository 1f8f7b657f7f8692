"""What is asked beside the server, and the screen of a watch on a terminal."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from dbvitals.output import to_json
from dbvitals.sandbox import PostgresServer
from tests.acceptance.cli.conftest import bare_environment
from tests.acceptance.connections.conftest import Monitor
from tests.acceptance.connections.test_guide import report_of
from tests.integration.connections.crowd import Crowd
from tests.unit.connections.test_code_sites import held, observation

SECRET = "operators-only"


@contextmanager
def application(answer: bytes) -> Iterator[str]:
    """A service that shows its registry to who has the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == f"Bearer {SECRET}" and self.path == "/ops/connections"
            self.send_response(200 if known else 403)
            self.end_headers()
            self.wfile.write(answer if known else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the library's
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{service.server_port}"
        finally:
            service.shutdown()
            thread.join()


def test_the_application_names_the_line_that_holds_a_session(
    monitor: Monitor, server: PostgresServer, crowd: Crowd, tmp_path: Path
) -> None:
    leak = crowd.open(server.dsn())
    leak.execute("begin")
    leak.execute("select 1")
    with application(to_json(observation(held(leak.info.backend_pid)))) as url:
        done = monitor("--app", url, DBVITALS_APP_TOKEN=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    report = report_of(tmp_path)
    (row,) = [row for row in report["connections"] if row["pid"] == leak.info.backend_pid]
    assert row["held_by"]["site"] == "app/services/leases.py:88 renew"
    assert report["fleet"]["processes_from"] == "application"
    assert len(report["sizing"]) == 1
    assert "app/services/leases.py:88" in done.stdout


def test_an_application_or_a_pgbouncer_that_does_not_answer_is_a_missing_part(monitor: Monitor, tmp_path: Path) -> None:
    with application(b"{}") as url:
        done = monitor(
            "--app", url, "--pgbouncer", "postgresql://w@127.0.0.1:1/pgbouncer", "--strict", DBVITALS_APP_TOKEN="wrong"
        )
    assert done.returncode == 4
    parts = {part["part"].split()[0]: part["why"] for part in report_of(tmp_path)["incomplete"]}
    assert parts.keys() == {"PgBouncer", "application"}
    assert "refuses the token" in parts["application"]
    assert "DBVITALS_APP_TOKEN" in done.stdout
    assert "wrong" not in done.stdout + done.stderr


def test_an_application_that_hangs_does_not_keep_a_watch_from_looking(monitor: Monitor, tmp_path: Path) -> None:
    """Waiting 5 s for it at each interval would leave about five looks of thirty."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = monitor("--watch", "--interval", "3s", "--duration", "8s", "--app", url)
    assert done.returncode == 0
    report = report_of(tmp_path)
    assert report["watched"]["probes"] >= 10
    assert ["application" in part["part"] for part in report["incomplete"]] == [True]


def test_a_login_in_an_applications_address_is_one_line_that_says_where_the_token_belongs(monitor: Monitor) -> None:
    done = monitor("--app", "http://operator:secret@127.0.0.1:1")
    assert done.returncode == 2
    assert "set DBVITALS_APP_TOKEN" in done.stderr
    assert "secret" not in done.stderr


def test_a_password_for_the_server_and_one_for_a_console_are_warned_of_once(
    monitor: Monitor, here: dict[str, str]
) -> None:
    console = ("--pgbouncer", "postgresql://w:other@127.0.0.1:1/pgbouncer")
    for password in ((), ("--password", here["POSTGRES_PASSWORD"])):
        done = monitor(*password, *console)
        assert len(done.stderr.splitlines()) == 1
        assert "password" in done.stderr


def test_a_console_address_that_is_none_is_one_line(monitor: Monitor) -> None:
    done = monitor("--pgbouncer", "postgresql://w:secret@[oops")
    assert done.returncode == 2
    assert "--pgbouncer" in done.stderr
    assert "secret" not in done.stderr


def test_a_terminal_gets_a_screen_and_the_report_below_it(server: PostgresServer, crowd: Crowd, tmp_path: Path) -> None:
    crowd.open(server.dsn())
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dbvitals", "connections", "--dsn", server.dsn(), "--watch", "--duration", "0"]
    environment = bare_environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    try:
        shown = read_until(ours, b"peaks")
        process.send_signal(signal.SIGINT)
        shown += read_until(ours, b"Report")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"\x1b[?1049h" in shown
    assert shown.index(b"\x1b[?1049l") < shown.index(b"Server")


def read_until(terminal: int, text: bytes) -> bytes:
    """What a terminal shows up to a word; the test's own time-out is the deadline."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 65536)
    return shown
