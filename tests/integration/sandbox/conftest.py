"""The accounts that this machine allows, and Python processes that start servers and meet a bad end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dbvitals.sandbox.account import Account, Mode, choose_account, in_mode

ROOT = Path(__file__).parents[3]

Script = Callable[..., "subprocess.Popen[str]"]


def _allowed(mode: Mode) -> Account:
    if mode == "self":
        return in_mode(mode) if os.geteuid() else pytest.skip("PostgreSQL does not run as root itself")
    if os.geteuid():
        pytest.skip(f"the mode {mode} is for root")
    if mode == "namespace" and choose_account().mode != "namespace":
        pytest.skip("this machine forbids user namespaces")
    return in_mode(mode)


@pytest.fixture(params=["self", "namespace", "drop"])
def account(request: pytest.FixtureRequest) -> Account:
    """One after the other, every way in which a server can get its user here."""
    return _allowed(request.param)


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that every account may enter; pytest's own are closed."""
    folder = Path("/var/tmp") / f"dbvitals-test-{os.getpid()}-{tmp_path.name}"  # noqa: S108
    folder.mkdir(mode=0o755)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def script() -> Iterator[Script]:
    """A function that runs Python code in a process of its own, which can be killed; its output is a pipe."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object, **environment: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        started.append(child)
        return child

    yield run
    for child in started:
        child.kill()
        child.communicate()


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Wait for what has to come by itself."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], bool]:
    return eventually
