"""What a PostgreSQL and a Redis of our own have in common: started with another try, ended once."""

import functools
import os
import signal
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dbvitals.errors import SandboxError
from dbvitals.sandbox.account import Account
from dbvitals.sandbox.home import Home
from dbvitals.sandbox.process import (
    POLL_SECONDS,
    Command,
    ServerProcess,
    start_child,
    start_detached,
    telling_line,
)

START_ATTEMPTS = 10
RETRY_SECONDS = 0.2
START_SECONDS = 60.0  # a kept server may have to recover first


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one kind of server is started. `passing` marks in its log what another try may not meet."""

    name: str
    stop_signal: signal.Signals
    pick_port: Callable[[], int]
    command: Callable[[int], Command]
    ready: Callable[[ServerProcess], bool]
    passing: tuple[str, ...]


class Server:
    """A running server. It ends with `stop`, its `with` block, its last reference, or this process.

    A detached one ends with `stop` only.
    """

    def __init__(self, home: Home, process: ServerProcess, *, detached: bool) -> None:
        self.home = home.path
        self.log = home.log
        self.identity = process.identity
        self.pid = process.identity.pid
        self._end: Callable[[], object]
        if detached:
            home.let_go()
            self._end = functools.partial(_end_detached, process, home)
        else:
            self._end = weakref.finalize(self, _end, process, home, os.getpid())

    def stop(self) -> None:
        """End the server and remove what was throw-away; again has no effect."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextmanager
def cleared_on_failure(home: Home) -> Iterator[None]:
    """Leave nothing of a start that fails; what the file system refuses becomes a SandboxError."""
    try:
        yield
    except BaseException as error:
        home.clear()
        home.let_go()
        if isinstance(error, OSError):
            raise SandboxError(f"cannot start in {home.path}: {error}") from error
        raise


def _end(process: ServerProcess, home: Home, owner: int) -> None:
    if os.getpid() != owner:  # a fork of the process that started the server must not end it
        return
    process.stop()
    home.clear()
    home.let_go()


def _end_detached(process: ServerProcess, home: Home) -> None:
    process.stop()
    home.clear()


def start(recipe: Recipe, home: Home, account: Account, *, detached: bool) -> tuple[ServerProcess, int]:
    """Start until the server is ready; give its port too. Raises SandboxError with the log's telling line."""
    starter = start_detached if detached else start_child
    said = ""
    for _ in range(START_ATTEMPTS):
        seen = home.log.stat().st_size if home.log.exists() else 0
        port = recipe.pick_port()
        process = starter(account, recipe.command(port), recipe.stop_signal, home.log, home.lock)
        if _becomes_ready(recipe, process):
            return process, port
        said = _read_from(home.log, seen)
        if not any(mark in said for mark in recipe.passing):
            break
        time.sleep(RETRY_SECONDS)
    reason = telling_line(said) or f"it was not ready after {START_SECONDS:.0f} s"
    raise SandboxError(f"{recipe.name} did not start: {reason}")


def _becomes_ready(recipe: Recipe, process: ServerProcess) -> bool:
    """Wait for it; a server that does not make it, or that nobody waits for any more, is stopped."""
    deadline = time.monotonic() + START_SECONDS
    try:
        while time.monotonic() < deadline and process.alive():
            if recipe.ready(process):
                return True
            time.sleep(POLL_SECONDS)
    except BaseException:
        process.stop()
        raise
    process.stop()
    return False


def _read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
