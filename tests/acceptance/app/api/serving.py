"""`python -m app serve` as an operator starts it, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import httpx

from dbvitals.sandbox.ports import LOOPBACK, free_port
from tests.integration.app.api.ground import ADMIN_TOKEN
from tests.integration.app.hotel import Hotel

ROOT = Path(__file__).parents[4]
PATIENCE = 120.0
Environment = Mapping[str, str]


class Service:
    """A running service; `http` speaks with it, and its log is in `log`."""

    def __init__(self, process: subprocess.Popen[str], http: httpx.Client, log: Path) -> None:
        self.process = process
        self.http = http
        self._log = log

    def lines(self) -> list[dict[str, object]]:
        """The log, line by line; each must be an object of JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def readiness(self) -> str:
        answer = self.http.get("/health/ready")
        return str(answer.json()["status"])

    def metrics(self) -> dict[str, float]:
        """The page for Prometheus: every series and its value."""
        page = self.http.get("/metrics").raise_for_status().text
        pairs = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)


def environment(hotel: Hotel, redis_url: str, pms_url: str, **more: str) -> dict[str, str]:
    """What the service is told, as variables."""
    told = hotel.settings
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "POSTGRES_HOST": told.postgres_host,
        "POSTGRES_PORT": str(told.postgres_port),
        "POSTGRES_DB": told.postgres_db,
        "POSTGRES_USER": str(told.postgres_user),
        "POSTGRES_ADMIN_USER": str(told.postgres_admin_user),
        "POSTGRES_SSLMODE": "disable",
        "POSTGRES_POOL_TIMEOUT": "20",
        "REDIS_URL": redis_url,
        "REDIS_TIMEOUT": "2",
        "PMS_BASE_URL": pms_url,
        "ADMIN_TOKEN": ADMIN_TOKEN,
        **more,
    }


@contextmanager
def serving(told: Environment, folder: Path, *options: str) -> Iterator[Service]:
    """Start the service in a folder, and end it with the test."""
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", "--port", str(port), *options]
    log = folder / "service.log"
    with (
        log.open("w") as output,
        _process(command, told, folder, output) as process,
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False, timeout=PATIENCE) as http,
    ):
        service = Service(process, http, log)
        until(lambda: _answers(service), f"the service answers\n{log.read_text()}")
        yield service


@contextmanager
def _process(command: list[str], told: Environment, folder: Path, output: TextIO) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, env=dict(told), cwd=folder, stdout=output, stderr=output, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(service: Service) -> bool:
    assert service.process.poll() is None, "the service has ended"
    try:
        return service.http.get("/health/live").is_success
    except httpx.TransportError:
        return False
