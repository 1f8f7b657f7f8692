"""How servers end when their starter meets a bad end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import find_postgres, start_postgres
from dbvitals.sandbox.account import Account, in_mode
from dbvitals.sandbox.process import identify

Script = Callable[..., "subprocess.Popen[str]"]
WaitFor = Callable[[Callable[[], bool]], bool]

STARTER = """
import sys, time, threading
from pathlib import Path
from dbvitals.sandbox import start_postgres, start_redis
from dbvitals.sandbox.account import in_mode

def start():
    account, home = in_mode(sys.argv[1]), Path(sys.argv[2])
    servers.append(start_postgres(home=home / "postgres", account=account))
    servers.append(start_redis(home=home / "redis", account=account))

servers = []
if sys.argv[3] == "thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
print(*(server.pid for server in servers), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
@pytest.mark.parametrize("starter", ["main", "thread"])
def test_servers_end_cleanly_with_a_killed_starter(
    account: Account, starter: str, open_folder: Path, script: Script, wait_for: WaitFor
) -> None:
    child = script(STARTER, account.mode, open_folder, starter)
    assert child.stdout is not None
    postgres, redis = (identify(int(pid)) for pid in child.stdout.readline().split())
    assert postgres is not None
    assert redis is not None
    child.kill()
    child.wait()
    assert wait_for(lambda: not postgres.alive())
    assert wait_for(lambda: not redis.alive())
    assert "database system is shut down" in (open_folder / "postgres" / "server.log").read_text()
    assert "bye bye" in (open_folder / "redis" / "server.log").read_text()


def test_throw_away_home_of_a_killed_starter_goes_with_the_next_start(
    tmp_path: Path, script: Script, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from dbvitals.sandbox import *; import time; s = start_postgres(); print(s.pid, s.home, flush=True); time.sleep(600)"
    child = script(code, TMPDIR=str(tmp_path))
    assert child.stdout is not None
    pid, home = child.stdout.readline().split()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    start_postgres().stop()
    assert Path(home).exists(), "that of a running server must stay"
    child.kill()
    child.wait()
    assert wait_for(lambda: identify(int(pid)) is None)
    assert Path(home).exists()
    start_postgres().stop()
    assert list(tmp_path.iterdir()) == []


def test_forgotten_server_ends_with_the_interpreter(tmp_path: Path, script: Script) -> None:
    code = "from dbvitals.sandbox import *; s = start_postgres(); print(s.pid, s.home)"
    child = script(code, TMPDIR=str(tmp_path))
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    pid, home = said.split()
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
    said, _ = script(code, TMPDIR=str(tmp_path)).communicate(timeout=60)
    assert said == "still there\n"


def test_interrupt_while_starting_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def interrupted(pid_file: Path, pid: int) -> bool:
        seen.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr("dbvitals.sandbox.postgres._says_ready", interrupted)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        start_postgres()
    assert identify(seen[0]) is None
    assert list(tmp_path.iterdir()) == []


def test_interrupt_at_the_terminal_is_the_starters_to_handle(tmp_path: Path) -> None:
    with start_postgres() as server:
        assert os.getpgid(server.pid) != os.getpgid(0)
        assert os.getsid(server.pid) != os.getsid(0)


def test_ordinary_user_runs_servers(open_folder: Path) -> None:
    """The whole of it in a process that is no root."""
    if os.geteuid():
        pytest.skip("the other tests are it: this one makes an ordinary user out of root")
    nobody = in_mode("drop")
    programs = (Path(sys.executable), Path(__file__), find_postgres().bin_dir / "postgres")
    closed = [str(path) for path in programs if not nobody.can_reach(path)]
    if closed:
        pytest.skip(f"an ordinary user may not enter {closed[0]}")
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, nobody.uid, nobody.gid)
    code = """
import sys, psycopg
from pathlib import Path
from dbvitals.sandbox import find_postgres, start_postgres, start_redis
with start_postgres(home=Path.home() / "closed" / "kept") as server, psycopg.connect(server.dsn()) as connection:
    print(connection.execute("select current_user").fetchone()[0])
with start_postgres(tcp=True) as server, start_redis() as cache, psycopg.connect(server.dsn()) as connection:
    print(server.home.parent == Path.home(), cache.port > 0)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        user=nobody.uid,
        group=nobody.gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.stderr == ""
    assert done.stdout == "postgres\nTrue True\n"


def test_user_without_a_name_runs_servers(open_folder: Path) -> None:
    """As in containers that are given a number for a user."""
    if os.geteuid():
        pytest.skip("only root can become a user without a name")
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, 54321, 54321)
    code = "from dbvitals.sandbox import *; s = start_postgres(); s.stop(); print('ran')"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        user=54321,
        group=54321,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    refused = "which PostgreSQL asks for: add the user to /etc/passwd, or allow user namespaces"
    assert done.stdout == "ran\n" or refused in done.stderr, done.stderr


def test_server_that_was_killed_is_noticed(pg18: object) -> None:
    server = start_postgres()
    with psycopg.connect(server.dsn()):
        os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.home.exists()
