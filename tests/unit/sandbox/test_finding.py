"""Where programs are looked for, with scripts that only tell a version."""

from pathlib import Path

import pytest

from dbvitals.errors import SandboxError
from dbvitals.sandbox import binaries, find_all_postgres, find_postgres, find_redis


def postgres_in(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        program_at(folder / name, f"{name} (PostgreSQL) {version}")
    return folder


def program_at(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DBVITALS_PG_BIN", "DBVITALS_REDIS_BIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(binaries, "SYSTEM_POSTGRES", tmp_path / "system")
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)


@pytest.fixture
def everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    postgres_in(tmp_path / "explicit", "14.1")
    postgres_in(tmp_path / "environment", "15.1")
    postgres_in(tmp_path / "wheel" / "pginstall" / "bin", "18.6")
    postgres_in(tmp_path / "path", "16.1 (Debian 16.1-1)")
    postgres_in(tmp_path / "system" / "9" / "bin", "9.6.24")
    postgres_in(tmp_path / "system" / "17" / "bin", "17rc1")
    monkeypatch.setenv("DBVITALS_PG_BIN", str(tmp_path / "environment"))
    monkeypatch.setattr(binaries, "_package_folder", lambda name: tmp_path / "wheel")
    return tmp_path


def test_order_is_explicit_environment_wheel_path_system(everywhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [find_postgres(everywhere / "explicit"), find_postgres()]
    monkeypatch.delenv("DBVITALS_PG_BIN")
    seen.append(find_postgres())
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)
    seen.append(find_postgres())
    monkeypatch.setenv("PATH", "")
    seen.append(find_postgres())
    assert [(found.source, found.version, found.major) for found in seen] == [
        ("explicit", "14.1", 14),
        ("environment", "15.1", 15),
        ("wheel", "18.6", 18),
        ("path", "16.1", 16),
        ("system", "17rc1", 17),
    ]


def test_all_gives_one_of_each_major_and_leaves_out_the_too_old(everywhere: Path) -> None:
    postgres_in(everywhere / "system" / "18" / "bin", "18.1")
    assert [(found.major, found.source) for found in find_all_postgres()] == [
        (15, "environment"),
        (16, "path"),
        (17, "system"),
        (18, "wheel"),
    ]


def test_path_may_hold_links(tmp_path: Path) -> None:
    real = postgres_in(tmp_path / "cellar", "16.2")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "postgres").symlink_to(real / "postgres")
    assert find_postgres().bin_dir == real


def test_named_folder_that_is_wrong_is_no_reason_to_take_another(
    everywhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SandboxError, match="no program postgres in"):
        find_postgres(everywhere)
    monkeypatch.setenv("DBVITALS_PG_BIN", str(everywhere))
    with pytest.raises(SandboxError, match="no program postgres in"):
        find_postgres()
    with pytest.raises(SandboxError, match=r"9\.6\.24 in .* is too old: 14 or later is needed"):
        find_postgres(everywhere / "system" / "9" / "bin")


def test_wheel_that_does_not_run_here_is_passed_over(everywhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBVITALS_PG_BIN")
    program_at(everywhere / "wheel" / "pginstall" / "bin" / "postgres", "libz.so.1: no such file", code=127)
    assert find_postgres().source == "path"


def test_nothing_found_says_why_and_which_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install = r"install agente-hotelero\[sandbox\] with pip, or the Debian package postgresql$"
    with pytest.raises(SandboxError, match=f"^no PostgreSQL found to start: {install}"):
        find_postgres()
    assert find_all_postgres() == ()
    broken = postgres_in(tmp_path / "wheel" / "pginstall" / "bin", "18.6")
    program_at(broken / "postgres", "libz.so.1: no such file", code=127)
    monkeypatch.setattr(binaries, "_package_folder", lambda name: tmp_path / "wheel")
    with pytest.raises(SandboxError, match=rf"does not run here: libz\.so\.1: no such file: {install}"):
        find_postgres()


def test_redis_order_is_explicit_environment_wheel_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program_at(tmp_path / "path" / "valkey-server", "Valkey server v=8.1.0 sha=0:1 malloc=libc")
    seen = [find_redis()]
    program_at(tmp_path / "path" / "redis-server", "Redis server v=7.0.15 sha=0:0 malloc=jemalloc")
    seen.append(find_redis())
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(binaries, "_package_folder", lambda name: tmp_path / "wheel")
    program_at(tmp_path / "wheel/_binaries/linux-x86_64/valkey-server", "Valkey server v=9.1.2 sha=0:1")
    seen.append(find_redis())
    monkeypatch.setenv("DBVITALS_REDIS_BIN", str(program_at(tmp_path / "named", "Redis server v=6.2.1 x")))
    seen.append(find_redis())
    seen.append(find_redis(program_at(tmp_path / "explicit", "Redis server v=7.4.0 x")))
    assert [(found.source, found.product, found.version) for found in seen] == [
        ("path", "Valkey", "8.1.0"),
        ("path", "Redis", "7.0.15"),
        ("wheel", "Valkey", "9.1.2"),
        ("environment", "Redis", "6.2.1"),
        ("explicit", "Redis", "7.4.0"),
    ]


def test_no_redis_says_which_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"install agente-hotelero\[sandbox\] .* Debian package redis-server$"):
        find_redis()
    with pytest.raises(SandboxError, match="no program at"):
        find_redis(tmp_path)
    with pytest.raises(SandboxError, match="does not run here: hello"):
        find_redis(program_at(tmp_path / "hello", "hello"))
