"""Pools of several workers on one page for Prometheus, held against the server that has all their connections."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.api.exposition import FOLDER_VARIABLE, Exposition
from dbvitals.analyse.fleet import PoolConfig
from tests.integration.connections.crowd import report, until
from tests.integration.observe.counting_worker import OVERFLOW, SIZE

WORKER = Path(__file__).with_name("counting_worker.py")
ROOT = WORKER.parents[3]
POOL = 'db_client_connection_pool_name="main"'


@contextmanager
def worker(folder: Path, dsn: str, connections: int) -> Iterator["subprocess.Popen[str]"]:
    """One that has its connections and has counted them."""
    url = dsn.replace("postgresql://", "postgresql+psycopg://")
    environment = {**os.environ, FOLDER_VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(WORKER), url, str(connections)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "counted\n"
            yield process
        finally:
            process.kill()


def page(exposition: Exposition) -> dict[str, float]:
    lines = exposition.page("")[0].decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def of_pools(figures: dict[str, float]) -> dict[str, float]:
    names = ("active_connections", "total_connections", "overflow", "size_configured", "utilization_percent")
    return {name: figures[f"db_pool_{name}"] for name in names}


def pools(processes: int) -> PoolConfig:
    return PoolConfig(size=SIZE, max_overflow=OVERFLOW, processes=processes, processes_from="given")


def test_trap_49_gauges_of_all_workers_add_up_and_a_share_is_made_of_the_sums(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of the worker that happens to answer, not one pool's size against the connections of all, and not
    those of a worker that was killed."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    exposition = Exposition(CollectorRegistry())
    with worker(tmp_path, database, 2), worker(tmp_path, database, SIZE + OVERFLOW) as full:
        figures = page(exposition)
        assert of_pools(figures) == {
            "active_connections": 7,
            "total_connections": 7,
            "overflow": 2,
            "size_configured": 2 * SIZE,
            "utilization_percent": 70,
        }
        summary = report(database, pool=pools(2)).summary
        assert summary.total_connections == figures["db_pool_total_connections"]
        assert summary.pool_utilization_percent == figures["db_pool_utilization_percent"]
        assert figures[f'db_client_connection_count{{{POOL},db_client_connection_state="used"}}'] == 7
        assert figures[f"db_client_connection_max{{{POOL}}}"] == 2 * (SIZE + OVERFLOW)
        full.kill()
        full.wait()
        assert of_pools(page(exposition)) == {
            "active_connections": 2,
            "total_connections": 2,
            "overflow": 0,
            "size_configured": SIZE,
            "utilization_percent": 40,
        }
        until(lambda: report(database).summary.total_connections == 2, "the server noticing that the other one is gone")


def test_trap_49_every_gauge_says_how_it_is_added_up(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not has a sample for each worker, dead ones included, told apart by `pid`."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with worker(tmp_path, database, 1), worker(tmp_path, database, 1):
        figures = page(Exposition(CollectorRegistry()))
        kinds = {file.stem.rpartition("_")[0] for file in tmp_path.glob("gauge_*.db")}
    assert kinds == {"gauge_livesum", "gauge_mostrecent"}
    assert not [name for name in figures if "pid=" in name]
    assert figures['pms_circuit_breaker_state{pms="pms"}'] == 0
