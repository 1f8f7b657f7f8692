import os
import signal
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dbvitals.errors import SandboxError
from dbvitals.sandbox import PostgresServer, find_all_postgres, find_postgres, start_postgres
from dbvitals.sandbox import postgres as postgres_module
from dbvitals.sandbox.ports import free_port


def one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_every_server_counts_statements_and_times_io(postgres: PostgresServer, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create extension pg_stat_statements")
    assert one(database, "select count(*) > 0 from pg_stat_statements") is True
    assert one(database, "show track_io_timing") == "on"
    assert one(database, "show server_encoding") == "UTF8"
    assert one(database, "show timezone") == "UTC"
    assert one(database, "select datcollate from pg_database limit 1") == "C.UTF-8"
    assert str(one(database, "show server_version")).startswith(f"{postgres.major}.")


def test_throw_away_server_leaves_nothing_behind() -> None:
    server = start_postgres()
    maps = Path(f"/proc/{server.pid}/maps").read_text().splitlines()
    segments = {line.split()[-1] for line in maps if "/dev/shm" in line}  # noqa: S108
    assert segments
    server.stop()
    server.stop()
    assert not server.home.exists()
    assert not Path(server.host).exists()
    assert not server.identity.alive()
    assert not any(Path(segment).exists() for segment in segments)
    creators = [line.split()[4] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    assert str(server.pid) not in creators


def test_leaving_the_block_by_an_error_stops_the_server() -> None:
    with pytest.raises(ZeroDivisionError), start_postgres() as server:
        1 / 0  # noqa: B018
    assert not server.identity.alive()


def test_socket_is_closed_to_others_and_nothing_listens_on_tcp(pg18: PostgresServer) -> None:
    assert stat.S_IMODE(Path(pg18.host).stat().st_mode) == 0o700
    assert one(pg18.dsn(), "show listen_addresses") == ""


@pytest.mark.parametrize("name", ['a"b, c', "x/y?host=evil&port=1#%41", "new\nline", "<script>", "😀" * 15 + "abc"])
def test_dsn_takes_hostile_names(pg18: PostgresServer, name: str) -> None:
    with psycopg.connect(pg18.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
        try:
            with psycopg.connect(pg18.dsn(name, name)) as other:
                assert other.execute("select current_database(), current_user").fetchone() == (name, name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_tcp_asks_for_the_password() -> None:
    with start_postgres(tcp=True) as server:
        assert one(server.dsn(), "select inet_server_port()") == server.port
        for login in ("postgres", "postgres:wrong"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"postgresql://{login}@127.0.0.1:{server.port}/postgres")
        assert one(server.dsn(), "select rolpassword like 'SCRAM%' from pg_authid where rolname = 'postgres'") is True


def test_port_taken_in_between_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = iter([taken, taken])
        monkeypatch.setattr(postgres_module, "free_port", lambda: next(ports, None) or free_port())
        with start_postgres(tcp=True) as server:
            assert server.port != taken
            assert one(server.dsn(), "select 1") == 1


def test_servers_started_by_threads_outlive_their_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(lambda _: start_postgres(), range(4)))
    try:
        assert [one(server.dsn(), "select 1") for server in servers] == [1] * 4
        assert len({server.home for server in servers}) == 4
    finally:
        for server in servers:
            server.stop()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"shared_buffers": "plenty"}, 'invalid value for parameter "shared_buffers": "plenty"'),
        ({"no_such_setting": "1"}, 'unrecognized configuration parameter "no_such_setting"'),
        ({"shared_preload_libraries": "no_such_library"}, 'could not access file "no_such_library"'),
    ],
)
def test_server_that_does_not_start_gives_one_line_and_leaves_nothing(
    settings: dict[str, str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SandboxError) as caught:
        start_postgres(settings=settings)
    assert str(caught.value).startswith(f"PostgreSQL did not start: {reason}")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_kept_home_keeps_its_data_and_is_safe(tmp_path: Path) -> None:
    with start_postgres(home=tmp_path / "kept") as server:
        assert one(server.dsn(), "show fsync") == "on"
        assert one(server.dsn(), "show full_page_writes") == "on"
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("create database stays")
    with start_postgres(home=tmp_path / "kept", tcp=True) as server:
        assert one(server.dsn("stays"), "select current_database()") == "stays"


def test_home_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbvitals.sandbox.home.LOCK_WAIT_SECONDS", 0.1)
    with start_postgres(home=tmp_path / "kept") as server:
        with pytest.raises(SandboxError, match="a server is running in"):
            start_postgres(home=tmp_path / "kept")
        assert one(server.dsn(), "select 1") == 1


def test_home_of_another_major_is_refused(tmp_path: Path) -> None:
    majors = find_all_postgres()
    if len(majors) < 2:
        pytest.skip("only one PostgreSQL on this machine")
    start_postgres(majors[0], home=tmp_path / "kept").stop()
    with pytest.raises(SandboxError, match=f"are of PostgreSQL {majors[0].major}, the programs of"):
        start_postgres(majors[-1], home=tmp_path / "kept")


def test_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(SandboxError, match="is not empty and holds no sandbox"):
        start_postgres(home=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match="cannot use the folder"):
        start_postgres(home=tmp_path / "file" / "home")


def test_damaged_home_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kept" / "data").mkdir(parents=True)
    (tmp_path / "kept" / "lock").touch()
    with pytest.raises(SandboxError, match=r"cannot start in .*PG_VERSION"):
        start_postgres(home=tmp_path / "kept")


def test_half_made_home_is_made_again(tmp_path: Path) -> None:
    home = tmp_path / "kept"
    (home / "data.unfinished" / "base").mkdir(parents=True)
    (home / "data.unfinished" / "PG_VERSION").write_text("18\n")
    (home / "lock").touch()
    with start_postgres(home=home) as server:
        assert one(server.dsn(), "select 1") == 1
        assert not (home / "data.unfinished").exists()


def test_kept_home_of_a_killed_server_is_taken_up_again(tmp_path: Path) -> None:
    server = start_postgres(home=tmp_path / "kept")
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create table stays (id int)")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with start_postgres(home=tmp_path / "kept") as again:
        assert one(again.dsn(), "select count(*) from stays") == 0


def test_pid_file_that_names_a_stranger_does_not_stop_the_start(tmp_path: Path) -> None:
    home = tmp_path / "kept"
    start_postgres(home=home).stop()
    with start_postgres() as stranger:
        (home / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{home}/data\n1\n5432\n\n\n")
        with start_postgres(home=home) as server:
            assert one(server.dsn(), "select 1") == 1
        assert stranger.identity.alive()


@pytest.mark.parametrize("name", ["deep-" * 20, "com,ma", "a b'c\"d", "ünï"])
def test_home_of_any_name_has_a_socket_that_clients_reach(tmp_path: Path, name: str) -> None:
    with start_postgres(home=tmp_path / name / "home") as server:
        assert one(server.dsn(), "select 1") == 1
        folder = Path(server.host)
    assert not folder.exists()


def test_environment_of_the_starter_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGDATA", "PGPASSWORD", "SOME_SECRET"):
        monkeypatch.setenv(name, "nowhere")
    with start_postgres() as server:
        names = {pair.partition(b"=")[0] for pair in Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")}
    assert b"PATH" in names
    assert names.isdisjoint({b"PGPASSWORD", b"SOME_SECRET"})


def test_programs_of_the_binaries_found_are_the_ones_that_run() -> None:
    found = find_postgres()
    said = subprocess.run([found.bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert found.version in said.stdout
    with start_postgres(found) as server:
        assert str(one(server.dsn(), "show server_version")).startswith(found.version)
