"""A PostgreSQL server of our own, on a private socket and, where asked for, a loopback port."""

import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from dbvitals.errors import SandboxError
from dbvitals.sandbox.account import Account, choose_account
from dbvitals.sandbox.binaries import PostgresBinaries, find_postgres
from dbvitals.sandbox.home import Home, open_home, reachable_programs
from dbvitals.sandbox.ports import LOOPBACK, free_port
from dbvitals.sandbox.process import Command, ServerProcess, run_program, works_in
from dbvitals.sandbox.server import Recipe, Server, cleared_on_failure, start

SUPERUSER = "postgres"
SOCKET_PORT = 5432  # names the socket's file only, in a folder of the server's own

SETTINGS = {
    "log_timezone": "UTC",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "track_io_timing": "on",
}
# Nothing of a throw-away server is worth a wait for the disk.
THROW_AWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
STOP_SIGNAL = signal.SIGINT  # "fast": SIGTERM would wait for the clients to go
# Another took the port in between; a killed server's children still hold its memory.
PASSING = ("could not create any TCP/IP sockets", "pre-existing shared memory block")
# By code point, but from the C library: as in most production databases, a plain index does not serve LIKE.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"


class PostgresServer(Server):
    """A running PostgreSQL. `host` is the socket's folder, or the loopback address if TCP was asked for."""

    def __init__(
        self,
        home: Home,
        process: ServerProcess,
        binaries: PostgresBinaries,
        *,
        port: int,
        tcp: bool,
        detached: bool,
    ) -> None:
        super().__init__(home, process, detached=detached)
        self.binaries = binaries
        self.major = binaries.major
        self.host = LOOPBACK if tcp else str(home.socket_folder)
        self.port = port
        self._password = (home.path / "password").read_text() if tcp else None

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Give a libpq URI. Over TCP it holds the superuser's password; another role's is not known here."""
        role, name = quote(user, safe=""), quote(database, safe="")
        if self._password is None:
            return f"postgresql://{role}@/{name}?host={quote(self.host)}&port={self.port}"
        login = f"{role}:{self._password}" if user == SUPERUSER else role
        return f"postgresql://{login}@{self.host}:{self.port}/{name}"


def start_postgres(
    binaries: PostgresBinaries | None = None,
    *,
    home: Path | None = None,
    settings: Mapping[str, str] | None = None,
    tcp: bool = False,
    detached: bool = False,
    account: Account | None = None,
) -> PostgresServer:
    """Start a server, on new data or on those that `home` holds.

    Without `home` it is throw-away: fast rather than safe, and gone after `stop`. With it the data stay, and
    are safe. `settings` go before the defaults. `tcp` listens on the loopback address too, with a password.
    `detached`, which needs a home, outlives this process. Raises SandboxError with the line of the log that
    tells why it did not start.
    """
    binaries, account = binaries or find_postgres(), account or choose_account()
    place = open_home(home, account)
    with cleared_on_failure(place):
        programs = reachable_programs(binaries.bin_dir, binaries.source, place, account)
        _ensure_data(place, binaries, programs, account)
        chosen = {**SETTINGS, **(THROW_AWAY_SETTINGS if place.throw_away else {}), **(settings or {})}
        recipe = _recipe(place, programs, chosen, tcp=tcp)
        process, port = start(recipe, place, account, detached=detached)
    return PostgresServer(place, process, binaries, port=port, tcp=tcp, detached=detached)


def _ensure_data(home: Home, binaries: PostgresBinaries, programs: Path, account: Account) -> None:
    """Make the data under another name first, so that data half made are never taken for whole ones."""
    data = home.path / "data"
    if data.exists():
        _check_major(data, binaries)
        _remove_stale_pid_file(data)
        return
    unfinished = home.path / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.give(unfinished)
    _initdb(unfinished, _write_password(home, account), programs, account)
    unfinished.rename(data)


def _check_major(data: Path, binaries: PostgresBinaries) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != str(binaries.major):
        what = f"the data in {data} are of PostgreSQL {made_by}, the programs of {binaries.version}"
        raise SandboxError(what, mend="choose the matching programs or another home")


def _remove_stale_pid_file(data: Path) -> None:
    """Remove that of a killed server when its process id is another's by now, as it soon is in a container.

    PostgreSQL would take any process of that id for its own and refuse. One that is works in its data folder.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = pid_file.read_text(errors="replace").partition("\n")[0].strip()
    if pid.isdecimal() and not works_in(int(pid), data):
        pid_file.unlink()


def _write_password(home: Home, account: Account) -> Path:
    path = home.path / "password"
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(24))
    account.give(path)
    return path


def _initdb(data: Path, password: Path, programs: Path, account: Account) -> None:
    """Whoever may enter the socket's folder is trusted; TCP asks for the password."""
    names: Command = ("--pgdata", data, "--username", SUPERUSER, "--pwfile", password)
    ways = ("--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", f"--locale={LOCALE}")
    run_program(account, [programs / "initdb", *names, *ways, "--no-sync", "--no-instructions"])


def _recipe(home: Home, programs: Path, settings: Mapping[str, str], *, tcp: bool) -> Recipe:
    data = home.path / "data"
    address = {
        "listen_addresses": LOOPBACK if tcp else "",
        "unix_socket_directories": str(home.socket_folder),
    }

    def command(port: int) -> Command:
        chosen = {**settings, **address, "port": str(port)}
        options = [part for name in sorted(chosen) for part in ("-c", f"{name}={chosen[name]}")]
        return [programs / "postgres", "-D", data, *options]

    return Recipe(
        name="PostgreSQL",
        stop_signal=STOP_SIGNAL,
        pick_port=free_port if tcp else lambda: SOCKET_PORT,
        command=command,
        ready=lambda process: _says_ready(data / "postmaster.pid", process.identity.pid),
        passing=PASSING,
    )


def _says_ready(pid_file: Path, pid: int) -> bool:
    """Whether the server says so: in the last line of its pid file, which begins with its own process id."""
    try:
        lines = pid_file.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) > 1 and lines[0].strip() == str(pid) and lines[-1].strip() == "ready"
