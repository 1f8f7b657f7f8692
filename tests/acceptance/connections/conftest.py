"""The command as a user starts it, on a server of its own that lives as long as the test wants."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.bad_days.test_standby import cluster
from tests.acceptance.cli.conftest import bare_environment, here, server
from tests.integration.connections.crowd import Crowd

__all__ = ["cluster", "here", "server"]


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.close()


ROOT = Path(__file__).resolve().parents[3]

Monitor = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def monitor(tmp_path: Path, here: dict[str, str]) -> Monitor:
    def start(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, ROOT / "scripts/monitor_connections.py", *arguments],
            cwd=tmp_path,
            env=bare_environment() | here | env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start
