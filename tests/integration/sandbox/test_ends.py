"""How servers end when they or their starter come to a bad end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import start_postgres, start_redis
from dbvitals.sandbox.process import identify

Script = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture
def script() -> Iterator[Script]:
    """A function that runs code in a Python of its own, which can be killed; what it prints comes through a pipe."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, temporary: Path) -> "subprocess.Popen[str]":
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)}
        command = [sys.executable, "-c", code]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return started[-1]

    yield run
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_throw_away_home_of_a_killed_starter_goes_with_the_next_start(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "from dbvitals.sandbox import *; s = start_postgres(); print(s.pid, s.home, flush=True)"
    child = script(f"{code}; import time; time.sleep(600)", tmp_path)
    assert child.stdout
    pid, home = child.stdout.readline().split()
    start_postgres().stop()
    assert Path(home, "data").exists(), "a running server must keep its home"
    child.kill()
    _wait_until(lambda: identify(int(pid)) is None)
    assert Path(home).exists()
    start_postgres().stop()
    assert list(tmp_path.iterdir()) == []


def test_home_that_another_is_just_making_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "dbvitals-new").mkdir()
    (tmp_path / "dbvitals-new" / "lock").touch()
    start_redis().stop()
    assert (tmp_path / "dbvitals-new").exists()


def test_short_socket_folder_of_a_killed_starter_goes_with_the_next_start(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep-" * 20)
    deep.mkdir()
    code = "from dbvitals.sandbox import *; import os; s = start_redis(); print(s.socket, flush=True); os._exit(1)"
    socket = Path(script(code, deep).communicate(timeout=60)[0].strip())
    assert not socket.is_relative_to(deep)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    _wait_until(lambda: _start_and_look(socket.parent))
    assert list(deep.iterdir()) == []


def _start_and_look(folder: Path) -> bool:
    start_redis().stop()
    return not folder.exists()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_forgotten_server_ends_with_the_interpreter(tmp_path: Path, script: Script) -> None:
    child = script("from dbvitals.sandbox import *; s = start_postgres(); print(s.pid, s.home)", tmp_path)
    pid, home = child.communicate(timeout=60)[0].split()
    assert child.returncode == 0
    assert identify(int(pid)) is None
    assert not Path(home).exists()


def test_fork_that_exits_does_not_end_its_parents_server(tmp_path: Path, script: Script) -> None:
    code = """
import os, sys, psycopg
from dbvitals.sandbox import start_postgres
server = start_postgres()
pid = os.fork()
if pid == 0:
    sys.exit(0)
os.waitpid(pid, 0)
with psycopg.connect(server.dsn()) as connection:
    print(connection.execute("select 'still there'").fetchone()[0])
"""
    assert script(code, tmp_path).communicate(timeout=60)[0] == "still there\n"


def test_interrupt_while_starting_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def interrupted(_: Path, pid: int) -> bool:
        seen.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr("dbvitals.sandbox.postgres._says_ready", interrupted)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        start_postgres()
    assert identify(seen[0]) is None
    assert list(tmp_path.iterdir()) == []


def test_interrupt_at_the_terminal_is_the_starters_to_handle() -> None:
    with start_postgres() as server:
        assert os.getsid(server.pid) != os.getsid(0)


def test_killed_throw_away_server_is_cleared_away() -> None:
    server = start_postgres()
    with psycopg.connect(server.dsn()):
        os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.home.exists()
