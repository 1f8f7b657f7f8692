"""Holds the tool up in the middle of its work: it waits for a lock that a test holds."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.cli.conftest import bare_environment

PATIENT = ("--lock-timeout", "60s", "--statement-timeout", "60s")

LAST_PART = "public.pg_stat_statements"
"""The last that is read, and the report can do without it: here the tool waits with nearly everything seen."""

FIRST_PART = "pg_catalog.pg_constraint"
"""The server plans no query over several tables without it: here the tool waits with nothing seen."""


@dataclass(frozen=True)
class Waiting:
    """The tool, waiting, and the connection that holds the lock; the latter can read everything meanwhile."""

    process: "subprocess.Popen[str]"
    holder: psycopg.Connection[Any]

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        out, error = self.process.communicate(timeout=30)
        return self.process.returncode, out, error


@contextmanager
def held_up(dsn: str, relation: str, folder: Path, *arguments: str) -> Iterator[Waiting]:
    """Run `dbvitals indexes` until it waits for a lock on the relation."""
    holder = psycopg.connect(dsn)
    holder.execute(f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE".encode())
    process = subprocess.Popen(
        [sys.executable, "-m", "dbvitals", "indexes", "--dsn", dsn, *PATIENT, *arguments],
        cwd=folder,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until_waiting(holder, process)
        yield Waiting(process, holder)
    finally:
        holder.close()
        process.kill()
        process.communicate()


def _until_waiting(holder: psycopg.Connection[Any], process: "subprocess.Popen[str]") -> None:
    for _ in range(400):
        if holder.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() != (0,):
            return
        time.sleep(0.05)
        if process.poll() is not None:
            break
    pytest.fail(f"the tool never came to wait: {process.returncode}")


def incomplete_of(report: Path) -> dict[str, dict[str, str]]:
    """The parts that a report says it misses."""
    return {part["part"]: part for part in json.loads(report.read_bytes())["incomplete"]}
