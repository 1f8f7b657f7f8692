"""A PgBouncer of our own before a server, in transaction mode, with a console."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbvitals.sandbox import PostgresServer
from dbvitals.sandbox.account import choose_account
from dbvitals.sandbox.ports import free_port

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIG = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
stats_users = watcher
"""


@dataclass(frozen=True)
class Bouncer:
    port: int

    def dsn(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"


@contextmanager
def bouncer(server: PostgresServer) -> Iterator[Bouncer]:
    if PROGRAM is None:
        pytest.skip("no pgbouncer on this machine")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        users, config = place / "users.txt", place / "pgbouncer.ini"
        users.write_text('"postgres" ""\n"watcher" ""\n"guest" ""\n')
        config.write_text(CONFIG.format(host=server.host, port=server.port, listen=port, users=users))
        for file in (users, config):
            file.chmod(0o644)
        account = choose_account()
        command = account.command(Path(PROGRAM), "--quiet", str(config), parent=os.getpid(), end=signal.SIGTERM)
        with subprocess.Popen(command) as process:
            try:
                _until_it_listens(port, process)
                yield Bouncer(port)
            finally:
                process.terminate()


def _until_it_listens(port: int, process: "subprocess.Popen[bytes]") -> None:
    import socket

    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "pgbouncer ended"
            assert time.monotonic() < end, "pgbouncer does not listen"
            time.sleep(0.02)
        else:
            return
