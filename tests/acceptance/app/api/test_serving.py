"""The service as a process: how it starts, what it refuses, how it ends, and what it logs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from app.core.database import APPLICATION
from dbvitals.sandbox.ports import LOOPBACK, free_port
from tests.acceptance.app.api.serving import PATIENCE, Environment, Service, environment, serving, until
from tests.integration.app.api.ground import ADMIN_TOKEN, OPERATOR
from tests.integration.app.hotel import Hotel, Owner
from tests.integration.app.resilience.ground import Pms

WRONG = 2


def refused(told: Environment, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a service that will not start."""
    command = [sys.executable, "-m", "app", "serve", "--port", str(free_port())]
    return subprocess.run(
        command, env=dict(told), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def program_of(service: Service, hotel: Hotel) -> dict[str, str]:
    path = f"/v1/tenants/{hotel.ours.tenant_id}/tokens"
    made = service.http.post(path, json={"name": "bridge"}, headers=OPERATOR).raise_for_status()
    return {"Authorization": f"Bearer {made.json()['token']}"}


def one_waits(owner: Owner) -> bool:
    query = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return owner.execute(query.encode()).fetchone() is not None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_at_sigterm_requests_finish_and_events_are_written(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path, workers: str, connect: Callable[[str], Owner]
) -> None:
    blocker = connect(hotel.owner.info.dsn)
    with (
        serving(environment(hotel, redis_url, pms.url), tmp_path, "--workers", workers) as service,
        ThreadPoolExecutor() as threads,
    ):
        ours = program_of(service, hotel)
        with blocker.transaction():
            blocker.execute("lock table sessions")
            under_way = threads.submit(service.http.get, "/v1/sessions", headers=ours)
            until(lambda: one_waits(hotel.owner), "a request waits for the lock")
            assert service.http.get("/v1/tenants", headers=ours).status_code == 403
            service.process.send_signal(signal.SIGTERM)
            until(lambda: not accepts(service), "no new connection is taken")
            assert service.process.poll() is None
        assert under_way.result(PATIENCE).json() == {"items": [], "next_cursor": None}
        assert service.process.wait(PATIENCE) == 0
    assert hotel.one("select count(*) from audit_logs where event_type = 'access.denied'") == (1,)
    connections = "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"
    assert hotel.one(connections, APPLICATION) == (0,)
    assert not (tmp_path / ".spool" / "audit").exists()
    assert all(line["level"] in ("info", "warning") for line in service.lines())


def accepts(service: Service) -> bool:
    try:
        with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
            return http.get("/health/live").is_success
    except httpx.TransportError:
        return False


def test_ctrl_c_ends_it_as_well(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    with serving(environment(hotel, redis_url, pms.url), tmp_path) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(PATIENCE) == 0


def test_the_log_has_no_secret_no_text_and_no_guest(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    hotel.add_identifier(hotel.ours, "+34612345678", "whatsapp")
    with serving(environment(hotel, redis_url, pms.url, LOG_LEVEL="debug"), tmp_path) as service:
        ours = program_of(service, hotel)
        message = {"platform": "whatsapp", "identifier": "+34612345678", "text": "the secret of room 417"}
        answer = service.http.post("/v1/messages", json=message, headers={**ours, "X-Request-ID": "channel-417"})
        assert answer.status_code == 200
        service.http.post("/v1/messages", json=message | {"text": "\x00 the secret"}, headers=ours)
        service.http.get("/v1/audit?q=the+secret+of", headers=ours)
        service.http.get(f"/v1/sessions/{answer.json()['session_id']}", headers=ours)
        assert service.stop() == 0
    lines = service.lines()
    assert any(
        line["event"] == "request"
        and (line["request_id"], line["route"], line["status"]) == ("channel-417", "/v1/messages", 200)
        for line in lines
    )
    text = (tmp_path / "service.log").read_text()
    redis_password = httpx.URL(redis_url).password
    for secret in (ADMIN_TOKEN, ours["Authorization"].split("_")[-1], "612345678", "the secret", redis_password):
        assert secret not in text
    assert answer.json()["session_id"] not in text


def test_it_starts_before_its_servers_and_needs_no_restart_when_they_come(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    """PostgreSQL's role may not log in at first, which is what it says as well while it starts up."""
    hotel.owner.execute("create role late_service login in role hotel_service connection limit 0")
    try:
        told = environment(hotel, redis_url, pms.url, POSTGRES_USER="late_service")
        with serving(told, tmp_path) as service:
            answer = service.http.get("/health/ready")
            assert (answer.status_code, answer.json()["parts"]["postgresql"]["status"]) == (503, "down")
            hotel.owner.execute("alter role late_service connection limit -1")
            until(lambda: service.readiness() == "ok", "everything is there")
            assert program_of(service, hotel)
            assert service.stop() == 0
    finally:
        hotel.owner.execute("drop role late_service")


def test_without_any_server_it_lives(hotel: Hotel, tmp_path: Path) -> None:
    nowhere = {"POSTGRES_HOST": LOOPBACK, "POSTGRES_PORT": str(free_port())}
    told = environment(hotel, f"redis://{LOOPBACK}:{free_port()}", f"http://{LOOPBACK}:{free_port()}") | nowhere
    with serving(told, tmp_path) as service:
        answer = service.http.get("/health/ready")
        assert answer.status_code == 503
        down = {name for name, part in answer.json()["parts"].items() if part["status"] == "down"}
        assert down >= {"postgresql", "redis", "pms", "identifiers"}
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"POSTGRES_PORT": "tcp://417"}, "postgres_port"),
        ({"ADMIN_TOKEN": "short-417"}, "admin_token"),
        ({"AUDIT_SPOOL": "/dev/null/417/audit"}, "AUDIT_SPOOL"),
        ({"POSTGRES_POOL_STRICT": "1", "POSTGRES_POOL_SIZE": "90"}, "POSTGRES_POOL_SIZE"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path, wrong: dict[str, str], named: str
) -> None:
    done = refused(environment(hotel, redis_url, pms.url) | wrong, tmp_path)
    assert done.returncode == WRONG, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert "417" not in done.stderr


def test_what_is_most_likely_a_mistake_is_warned_of(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_PASWORD=ocean-view-417\n")
    told = environment(hotel, redis_url, pms.url, POSTGRES_POOL_SZIE="5", POSTGRES_POOL_SIZE="90")
    with serving(told, tmp_path) as service:
        assert service.stop() == 0
    warnings = "\n".join(str(line["event"]) for line in service.lines() if line["level"] == "warning")
    assert "is REDIS_PASSWORD meant?" in warnings
    assert "is POSTGRES_POOL_SIZE meant?" in warnings
    assert "can open 112 connections" in warnings
    assert "ocean-view" not in (tmp_path / "service.log").read_text()


def test_two_cannot_have_one_port(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    told = environment(hotel, redis_url, pms.url)
    with serving(told, tmp_path) as service:
        command = [sys.executable, "-m", "app", "serve", "--port", str(service.http.base_url.port)]
        done = subprocess.run(
            command, env=told, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode != 0
    assert "in use" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_killed_service_leaves_its_database_usable(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    with serving(environment(hotel, redis_url, pms.url), tmp_path) as service:
        program_of(service, hotel)
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait(PATIENCE)
    with psycopg.connect(hotel.owner.info.dsn) as connection:
        connection.execute("lock table sessions")
