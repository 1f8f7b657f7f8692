"""The command as a user starts it, and a Redis with the hotel's keys and some faults among them."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cli.conftest import ROOT, bare_environment

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SCRIPT = "scripts/analyze_redis_cache.py"


def environment(server: RedisServer | None = None) -> dict[str, str]:
    """One that says nothing but where the server is."""
    bare = {name: value for name, value in bare_environment().items() if not name.startswith("REDIS_")}
    if server is None:
        return bare
    return bare | {"REDIS_HOST": server.host, "REDIS_PORT": str(server.port), "REDIS_PASSWORD": server.password}


def plant(client: redis.Redis) -> None:
    """The hotel's keys as the service writes them, and what must be found among them."""
    pipeline = client.pipeline(transaction=False)
    for number in range(900):
        pipeline.set(f"availability:pms:{number % 9}:2026-11-23:{number}", "{}" * 40, ex=1_200 - number % 300)
        pipeline.set(f"pms_cache:rates:{number}", "{}" * 90, ex=20_000 + number % 999)
    for number in range(300):
        pipeline.hset(f"session:{number:08x}", mapping={"state": "active", "language": "es"})
        pipeline.expire(f"session:{number:08x}", 1_800)
        pipeline.set(f"rate_limit:{number}", 1, ex=3_000)
    for number in range(30):
        pipeline.set(f"lock:{number}:room", "agent", px=299_000)
        pipeline.set(f"circuit_breaker:{number}", "closed", ex=3_600)
        pipeline.set(f"tenant:{number}", "{}")
    # The faults.
    pipeline.set("lock:7:forgotten", "agent")
    for number in range(12):
        pipeline.set(f"session:leaked{number}", "x")
    pipeline.set("availability:pms:1:long", "x", ex=500_000)
    for number in range(1_500):
        pipeline.set(f"report:{number}:pdf", "x")
    pipeline.hset("queue", mapping=dict.fromkeys(range(3_000), "x" * 1_000))
    pipeline.set(b"bin:\xff\x00:1", "x")
    pipeline.execute()
    for number in range(500):
        client.get(f"pms_cache:rates:{number * 4}")


FAULTS = {
    "RED001": "",
    "RED002": "session:*",
    "RED004": "availability:*",
    "RED006": "lock:*",
    "RED009": "queue",
    "RED019": "",
    "RED020": "report:<n>:pdf",
}
"""The findings that must come, and no others; with their pattern, where they have one."""


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell that runs the tests in the background has SIGINT ignored, and what we start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def started(arguments: list[str], folder: Path, env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """`dbvitals cache` that says what it does; it does not outlive the test."""
    with subprocess.Popen(
        [sys.executable, "-m", "dbvitals", "cache", "--verbose", *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: "subprocess.Popen[str]", part: str) -> str:
    """The line of progress that holds it."""
    assert process.stderr is not None
    return next(line for line in process.stderr if part in line)


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture
def hotel(server: RedisServer) -> RedisServer:
    """A server that has just been filled: some of its keys stay for minutes only."""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.config_resetstat()
        plant(client)
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with the hotel's declarations, and an environment made from this one."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / SCRIPT).write_bytes((ROOT / SCRIPT).read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def start(command: list[str], folder: Path, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def run(folder: Path, hotel: RedisServer) -> Run:
    """Run the guide's script in the checkout, on the hotel's Redis unless `env` says otherwise."""

    def run_script(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        return start([SCRIPT, *arguments], folder, environment(hotel) if env is None else env)

    return run_script


@pytest.fixture
def call(tmp_path: Path, hotel: RedisServer) -> Run:
    """Run `dbvitals cache` in an empty folder, where nothing is declared."""

    def run_command(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        command = ["-m", "dbvitals", "cache", *arguments]
        return start(command, tmp_path, environment(hotel) if env is None else env)

    return run_command
