"""A server's process: started through launch.py, known again by its identity, stopped."""

import functools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from dbvitals.errors import SandboxError
from dbvitals.sandbox.account import Account

# How long a server may take to go: asked in its own way, then told (PostgreSQL's "immediate"), then made to.
STOP_SECONDS = 30.0
HARDER_SIGNALS = ((signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
POLL_SECONDS = 0.02
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MARKS = ("PANIC:", "FATAL:", "ERROR:", "error:")

Child = subprocess.Popen[bytes]
Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process id with the time that it started at, since ids come back."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return identify(self.pid) == self


class ServerProcess:
    """A running server: a child of ours, or a detached one. `stop_signal` asks it to end in good order."""

    def __init__(self, identity: Identity, stop_signal: signal.Signals, child: Child | None = None) -> None:
        self.identity = identity
        self._stop_signal = stop_signal
        self._child = child

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None if self._child else self.identity.alive()

    def stop(self) -> None:
        """End it, gently first; no effect on one that has ended. Raises SandboxError when nothing helps."""
        for number, seconds in ((self._stop_signal, STOP_SECONDS), *HARDER_SIGNALS):
            if not self.alive():
                return
            _send(self.identity.pid, number)
            deadline = time.monotonic() + seconds
            while self.alive() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        if self.alive():
            raise SandboxError(f"the server with process id {self.identity.pid} does not end")


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it ended by itself in this moment
        return


def identify(pid: int) -> Identity | None:
    """Give the identity of a process; None when it is none, or the remains of one that was not waited for."""
    if not Path("/proc/self/stat").exists():
        return _identify_by_ps(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name, in brackets before, may itself hold some
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else Identity(pid=pid, started=f"{_boot()} {ticks}")


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process has that folder as its working directory; where it cannot be told, suppose so."""
    if not Path("/proc/self/cwd").exists():
        return True
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:  # it has ended, or is another user's
        return False


@functools.cache
def _boot() -> str:
    """Which start of the machine: process times count from there."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def _identify_by_ps(pid: int) -> Identity | None:
    """Without /proc, as on macOS."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return Identity(pid=pid, started=" ".join(said[1:])) if said and said[0][0] != "Z" else None


def run_program(account: Account, command: Command) -> None:
    """Run a program of the server to its end. Raises SandboxError with the line that tells why it failed."""
    program, *arguments = command
    done = subprocess.run(
        account.command(Path(program), *arguments, parent=os.getpid(), end=signal.SIGTERM),
        cwd="/",
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = telling_line(done.stderr) or f"exit code {done.returncode}"
        raise SandboxError(f"{Path(program).name} failed: {reason}")


def start_child(account: Account, command: Command, stop_signal: signal.Signals, log: Path, lock: int) -> ServerProcess:
    """Start a server that ends with this process, even when this process is killed (Linux)."""
    program, *arguments = command
    line = account.command(Path(program), *arguments, parent=os.getpid(), end=stop_signal)
    child = _popen_for_life(line, log, lock)
    return ServerProcess(identify(child.pid) or Identity(pid=child.pid, started=""), stop_signal, child)


def start_detached(
    account: Account, command: Command, stop_signal: signal.Signals, log: Path, lock: int
) -> ServerProcess:
    """Start a server that goes on when this process ends."""
    program, *arguments = command
    line = account.command(Path(program), *arguments, parent=0, end=stop_signal)
    launcher = _popen(line, log, lock, stdout=subprocess.PIPE)
    said, _ = launcher.communicate()
    pid = int(said or 0)
    return ServerProcess(identify(pid) or Identity(pid=pid, started=""), stop_signal)


def _environment() -> dict[str, str]:
    """Leave out what would turn a server elsewhere, such as PGDATA; have its messages in English."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}


def _popen(line: list[str], log: Path, lock: int, stdout: int | None = None) -> Child:
    with log.open("ab") as output:
        return subprocess.Popen(
            line,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output if stdout is None else stdout,
            stderr=output,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C at a terminal is for us; we stop the server when we are done
        )


def _popen_for_life(line: list[str], log: Path, lock: int) -> Child:
    """Start from a thread that lasts as long as the server: the kernel takes its end for the parent's.

    The main thread lasts by itself; for any other a thread of the server's own starts it, and waits.
    """
    if threading.current_thread() is threading.main_thread():
        return _popen(line, log, lock)
    started: Future[Child] = Future()

    def keep() -> None:
        try:
            child = _popen(line, log, lock)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(child)
        child.wait()

    threading.Thread(target=keep, name="dbvitals-sandbox", daemon=True).start()
    return started.result()


def telling_line(text: str) -> str:
    """Give the line of a log that tells why a server ended: its last complaint, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        for mark in MARKS:
            if mark in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else ""
