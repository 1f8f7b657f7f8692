"""Every command that the documents show is run as it stands."""

import importlib.util
import os
import re
import shutil
import subprocess
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.db.migrate import upgrade
from dbvitals.sandbox import PostgresServer, RedisServer
from tests.acceptance.cli.conftest import bare_environment, server
from tests.acceptance.docs.markdown import PAGES, ROOT, Block, shell_blocks

__all__ = ["server"]

BLOCKS = shell_blocks()
DATABASE = "agente_hotel"
SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "scripts").iterdir() if path.is_file())


@dataclass(frozen=True)
class Checkout:
    """A working folder with what the commands need, and a migrated database behind POSTGRES_*."""

    folder: Path
    server: PostgresServer
    redis: RedisServer

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """In a shell; the documents' 5432 stands for the port that is free here."""
        return subprocess.run(
            ["bash", "-c", command.replace("--port 5432", f"--port {self.server.port}")],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        password = psycopg.conninfo.conninfo_to_dict(self.server.dsn())["password"]
        return bare_environment() | {
            "POSTGRES_HOST": self.server.host,
            "POSTGRES_PORT": str(self.server.port),
            "POSTGRES_USER": "postgres",
            "POSTGRES_PASSWORD": str(password),
            "POSTGRES_DB": DATABASE,
            "REDIS_HOST": self.redis.host,
            "REDIS_PORT": str(self.redis.port),
            "REDIS_PASSWORD": self.redis.password,
            "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "home/state"),
            "XDG_DATA_HOME": str(self.folder / "home/data"),
        }


@pytest.fixture(scope="module")
def hotel(server: PostgresServer) -> Iterator[PostgresServer]:
    """The hotel's database, and the login that the README takes."""
    password = psycopg.conninfo.conninfo_to_dict(server.dsn())["password"]
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{password}'".encode())
        upgrade(server.dsn(DATABASE))
        yield server
        connection.execute(f"DROP DATABASE {DATABASE}".encode())
        connection.execute("DROP ROLE reader")


def make_checkout(folder: Path, hotel: PostgresServer, redis: RedisServer) -> Checkout:
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "app/db/expected.json", *SCRIPTS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder, hotel, redis)


@pytest.fixture(scope="module")
def older(hotel: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A report of last week, or so."""
    made = make_checkout(tmp_path_factory.mktemp("older"), hotel, redis_server)
    assert made.run("dbvitals indexes --quiet --output last_week.json").returncode == 0
    return (made.folder / "last_week.json").read_bytes()


@pytest.fixture
def checkout(hotel: PostgresServer, redis_server: RedisServer, older: bytes, tmp_path: Path) -> Iterator[Checkout]:
    made = make_checkout(tmp_path, hotel, redis_server)
    (tmp_path / ".playbook").mkdir()
    for name in ("last_week.json", ".playbook/index_analysis.json"):
        (tmp_path / name).write_bytes(older)
    yield made
    if (tmp_path / "home/state").exists():
        made.run("dbvitals sandbox down --delete")


@pytest.mark.parametrize("block", [block for block in BLOCKS if "dev.py" not in "".join(block.commands)], ids=str)
def test_the_commands_of_a_block_run_one_after_the_other(checkout: Checkout, block: Block) -> None:
    for command in block.commands:
        done = checkout.run(command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout or "--check" in command, command


def test_there_are_commands() -> None:
    assert sum(len(block.commands) for block in BLOCKS) >= 15


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_command_can_be_typed_as_it_stands(block: Block) -> None:
    for command in block.commands:
        assert not re.search(r"<[\w -]+>|\.\.\.|…", command.partition("#")[0]), command


def dev() -> types.ModuleType:
    specification = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_call_of_dev_py_is_one_that_there_is(page: Path) -> None:
    module = dev()
    commands = set(re.findall(r"python3 dev\.py (\w+)", module.__doc__ or "")) | {"help"}
    arguments = {"test": set(module.CHECKS), "bench": {path.stem for path in (ROOT / "benchmarks").glob("*.py")}}
    for call in re.findall(r"dev\.py ([a-z][a-z ]*)", page.read_text()):
        command, *rest = call.split()
        assert command in commands, call
        assert set(rest) <= arguments.get(command, set()), call
