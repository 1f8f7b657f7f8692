"""Sandboxes that outlive the command: brought up, looked up and taken down by name."""

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

import msgspec

from dbvitals.errors import SandboxError
from dbvitals.sandbox import postgres, redis
from dbvitals.sandbox.account import choose_account
from dbvitals.sandbox.binaries import PostgresBinaries, RedisBinary
from dbvitals.sandbox.home import delete_home, remove_socket_folder
from dbvitals.sandbox.process import Identity, ServerProcess

STOP_SIGNALS = {"postgres": postgres.STOP_SIGNAL, "redis": redis.STOP_SIGNAL}


class KeptServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a sandbox; `address` is what clients take, its password included."""

    kind: Literal["postgres", "redis"]
    product: str
    version: str
    address: str
    pid: int
    started: str
    log: str

    @property
    def process(self) -> ServerProcess:
        """The very process that was started, whatever runs under its id today."""
        return ServerProcess(Identity(pid=self.pid, started=self.started), STOP_SIGNALS[self.kind])


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox: where its data are, and the servers that were started on them."""

    name: str
    home: str
    servers: tuple[KeptServer, ...] = ()

    def running(self) -> tuple[KeptServer, ...]:
        """Those servers that have not ended."""
        return tuple(server for server in self.servers if server.process.alive())


def all_kept() -> tuple[Kept, ...]:
    """Give every sandbox that was brought up and not deleted, by name."""
    return tuple(_read(path) for path in sorted(_state_folder().glob("*.json")))


def find_kept(name: str) -> Kept | None:
    """Give the sandbox of that name, None when there is none."""
    path = _state_file(name)
    return _read(path) if path.exists() else None


def bring_up(
    name: str, home: Path | None, postgres_binaries: PostgresBinaries, redis_binary: RedisBinary | None, *, tcp: bool
) -> Kept:
    """Start what does not run yet of a sandbox, and give it. Its data are those of the last time, or new.

    Raises SandboxError when a server does not start; then this call leaves none that it started.
    """
    before = find_kept(name)
    if home is None:
        home = Path(before.home) if before else _default_home(name)
    running = before.running() if before else ()
    if running and before and Path(before.home) != home.absolute():
        raise SandboxError(f"the sandbox {name} runs in {before.home}", mend="take it down, or choose another name")
    kept = Kept(name=name, home=str(home.absolute()), servers=running)
    kinds = {server.kind for server in running}
    with ExitStack() as undo:
        undo.callback(_write, kept)
        if "postgres" not in kinds:
            server = _start_postgres(Path(kept.home), postgres_binaries, tcp=tcp)
            undo.callback(_stop, kept, server)
            kept = _with(kept, server)
        if redis_binary and "redis" not in kinds:
            server = _start_redis(Path(kept.home), redis_binary)
            undo.callback(_stop, kept, server)
            kept = _with(kept, server)
        undo.pop_all()
    return kept


def take_down(kept: Kept) -> Kept:
    """Stop the servers that were started for a sandbox; its data stay."""
    for server in reversed(kept.servers):
        _stop(kept, server)
    stopped = msgspec.structs.replace(kept, servers=())
    _write(stopped)
    return stopped


def delete(kept: Kept) -> None:
    """Remove a sandbox's data for good. Raises SandboxError when a server still runs there."""
    home = Path(kept.home)
    for kind in ("postgres", "redis"):
        delete_home(home / kind)
    with suppress(OSError):  # gone before, or it holds files of somebody else's
        home.rmdir()
    _state_file(kept.name).unlink(missing_ok=True)


def _stop(kept: Kept, server: KeptServer) -> None:
    server.process.stop()
    remove_socket_folder(Path(kept.home) / server.kind)


def _with(kept: Kept, server: KeptServer) -> Kept:
    """Write down each server as soon as it runs, so that it can be stopped whatever happens next."""
    grown = msgspec.structs.replace(kept, servers=(*kept.servers, server))
    _write(grown)
    return grown


def _start_postgres(home: Path, binaries: PostgresBinaries, *, tcp: bool) -> KeptServer:
    server = postgres.start_postgres(binaries, home=home / "postgres", tcp=tcp, detached=True)
    return KeptServer(
        kind="postgres",
        product="PostgreSQL",
        version=binaries.version,
        address=server.dsn(),
        pid=server.pid,
        started=server.identity.started,
        log=str(server.log),
    )


def _start_redis(home: Path, binary: RedisBinary) -> KeptServer:
    server = redis.start_redis(binary, home=home / "redis", detached=True)
    return KeptServer(
        kind="redis",
        product=binary.product,
        version=binary.version,
        address=server.url,
        pid=server.pid,
        started=server.identity.started,
        log=str(server.log),
    )


def _default_home(name: str) -> Path:
    """Under the user's data, or where the server's account can get to when that is closed to it."""
    home = _user_folder("XDG_DATA_HOME", ".local/share") / name
    if choose_account().can_reach(home / "data"):
        return home
    shared = Path(f"/var/tmp/dbvitals-{os.geteuid()}")  # noqa: S108 -- its owner is looked at
    shared.mkdir(mode=0o755, exist_ok=True)
    if shared.is_symlink() or shared.stat().st_uid != os.geteuid():
        raise SandboxError(f"{shared} is another user's", mend="choose a home with --home")
    return shared / name


def _state_folder() -> Path:
    return _user_folder("XDG_STATE_HOME", ".local/state")


def _user_folder(variable: str, default: str) -> Path:
    """Give a folder of the XDG base directory specification, which has relative paths ignored."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / default) / "dbvitals" / "sandbox"


def _state_file(name: str) -> Path:
    return _state_folder() / f"{name}.json"


def _read(path: Path) -> Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError) as error:
        raise SandboxError(f"cannot read {path}: {error}", mend="remove it, and end its servers by hand") from None


def _write(kept: Kept) -> None:
    """Write whole or not at all; addresses hold passwords, so nobody else may read it."""
    target = _state_file(kept.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".unfinished")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept), indent=2))
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(target)
    except OSError as error:
        raise SandboxError(f"cannot write {target}: {error.strerror}", mend="set XDG_STATE_HOME") from None
