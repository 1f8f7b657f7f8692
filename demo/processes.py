"""Programs that the demo starts beside its servers: each ends with the demo, even when that is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dbvitals.errors import SandboxError
from dbvitals.sandbox.account import in_mode
from dbvitals.sandbox.process import telling_line

T = TypeVar("T")

STARTS_WITHIN = 30.0
ENDS_WITHIN = 40.0
POLL_SECONDS = 0.05
# Settings of the user's own service are not for the demo's, nor is a .env of the folder that it is started from.
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH", "PYTHONHASHSEED")


class Program:
    """A running `python -m ...` of ours; what it says goes into a log."""

    def __init__(self, name: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
        self._name = name
        self._child = child
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def said(self) -> str:
        """What it has written so far, errors too."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, ready: Callable[[], T | None]) -> T:
        """Ask until there is an answer. Raises SandboxError when the program ends before, or takes too long."""
        deadline = time.monotonic() + STARTS_WITHIN
        while not (answer := ready()):
            if self._child.poll() is not None:
                raise SandboxError(f"{self._name} ended while it started: {telling_line(self.said())}")
            if time.monotonic() > deadline:
                raise SandboxError(f"{self._name} does not answer after {STARTS_WITHIN:.0f} s")
            time.sleep(POLL_SECONDS)
        return answer


@contextmanager
def running(name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[Program]:
    """Start `python -m <arguments>` in a folder, and end it by SIGTERM, so that it finishes what it has begun."""
    log = folder / f"{arguments[0]}.log"
    line = in_mode("self").command(Path(sys.executable), "-m", *arguments, parent=os.getpid(), end=signal.SIGTERM)
    with log.open("ab") as output:
        child = subprocess.Popen(
            line,
            cwd=folder,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C at a terminal is for us
        )
    try:
        yield Program(name, child, log)
    finally:
        child.terminate()
        try:
            child.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
