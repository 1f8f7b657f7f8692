"""A Redis or Valkey server of our own, on a private socket and a loopback port."""

import secrets
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from dbvitals.sandbox.account import Account, choose_account
from dbvitals.sandbox.binaries import RedisBinary, find_redis
from dbvitals.sandbox.home import Home, open_home, reachable_programs
from dbvitals.sandbox.ports import LOOPBACK, free_port
from dbvitals.sandbox.process import Command, ServerProcess
from dbvitals.sandbox.server import Recipe, Server, cleared_on_failure, start

THROW_AWAY_SETTINGS = {"appendonly": "no", "save": ""}
KEPT_SETTINGS = {"appendfsync": "everysec", "appendonly": "yes"}
STOP_SIGNAL = signal.SIGTERM  # saves and goes, as SIGINT; but a second SIGINT would not let it save
PASSING = ("Address already in use",)
SOCKET = "redis.sock"


class RedisServer(Server):
    """A running Redis; `socket` is its private socket, where the password is asked for as well."""

    def __init__(
        self,
        home: Home,
        process: ServerProcess,
        binary: RedisBinary,
        *,
        port: int,
        password: str,
        detached: bool,
    ) -> None:
        super().__init__(home, process, detached=detached)
        self.binary = binary
        self.host = LOOPBACK
        self.port = port
        self.socket = home.socket_folder / SOCKET
        self.password = password

    @property
    def url(self) -> str:
        """Database 0 over TCP, with the password."""
        return f"redis://:{self.password}@{self.host}:{self.port}/0"


def start_redis(
    binary: RedisBinary | None = None,
    *,
    home: Path | None = None,
    settings: Mapping[str, str] | None = None,
    detached: bool = False,
    account: Account | None = None,
) -> RedisServer:
    """Start a server with a random password; `settings`, as in a configuration file, go before the defaults.

    Without `home` it is throw-away and writes no data to disk; with it the data stay. `detached`, which needs
    a home, outlives this process. Raises SandboxError with the line of the log that tells why it failed.
    """
    binary, account = binary or find_redis(), account or choose_account()
    place = open_home(home, account)
    password = secrets.token_urlsafe(24)
    with cleared_on_failure(place):
        program = reachable_programs(binary.path.parent, binary.source, place, account) / binary.path.name
        _ensure_data(place, account)
        chosen = {**(THROW_AWAY_SETTINGS if place.throw_away else KEPT_SETTINGS), **(settings or {})}
        recipe = _recipe(place, program, account, {**chosen, "requirepass": password})
        process, port = start(recipe, place, account, detached=detached)
    return RedisServer(place, process, binary, port=port, password=password, detached=detached)


def _ensure_data(home: Home, account: Account) -> None:
    data = home.path / "data"
    if not data.exists():
        data.mkdir(mode=0o700)
        account.give(data)


def _recipe(home: Home, program: Path, account: Account, settings: Mapping[str, str]) -> Recipe:
    address = {
        "bind": LOOPBACK,
        "dir": str(home.path / "data"),
        "unixsocket": str(home.socket_folder / SOCKET),
        "unixsocketperm": "700",
    }

    def command(port: int) -> Command:
        return [program, _write_configuration(home, account, {**settings, **address, "port": str(port)})]

    def ready(_: ServerProcess) -> bool:
        return _answers(home.socket_folder / SOCKET, settings["requirepass"])

    return Recipe(
        name="Redis", stop_signal=STOP_SIGNAL, pick_port=free_port, command=command, ready=ready, passing=PASSING
    )


def _write_configuration(home: Home, account: Account, settings: Mapping[str, str]) -> Path:
    """Write it anew: the password stands in this file, for the server alone, and on no command line."""
    path = home.path / "redis.conf"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name} {_quoted(settings[name])}\n" for name in sorted(settings)))
    account.give(path)
    return path


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _answers(path: Path, password: str) -> bool:
    """Whether the server answers on its private socket, which it opens after its port."""
    login = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password), password.encode())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(login + b"PING\r\n")
            with connection.makefile("rb") as answers:
                return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:  # not there yet
            return False
