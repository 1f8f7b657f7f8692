"""Several workers behind one port: what any of them counted is on the page that any of them shows."""

import os
import signal
from pathlib import Path

import httpx

from tests.acceptance.app.api.serving import Service, environment, serving, until
from tests.integration.app.api.ground import OPERATOR
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import Pms

LIVE = 'http_request_duration_seconds_count{method="GET",route="/health/live",status="2xx"}'


def knock(service: Service, times: int) -> None:
    """Ask each time over a connection of its own, which any worker may take."""
    for _ in range(times):
        with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
            http.get("/health/live").raise_for_status()


def workers_of(service: Service) -> set[int]:
    """The processes that serve: those that have a listening socket of their own log their start."""
    lines = (str(line["event"]) for line in service.lines())
    started = {int(line.split("[")[1].rstrip("]")) for line in lines if line.startswith("Started server process")}
    return {pid for pid in started if Path(f"/proc/{pid}").exists()}


def adds_up(figures: dict[str, float]) -> bool:
    idle, active = figures["db_pool_idle_connections"], figures["db_pool_active_connections"]
    return figures["db_pool_total_connections"] == idle + active


def test_counts_are_added_up_and_survive_the_worker_that_made_them(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    told = environment(hotel, redis_url, pms.url, TMPDIR=str(tmp_path))
    with serving(told, tmp_path, "--workers", "2") as service:
        until(lambda: len(workers_of(service)) == 2, "both workers run")
        until(lambda: service.metrics()["db_pool_size_configured"] == 20, "both workers have their gauges")
        before = service.metrics()[LIVE]
        knock(service, 30)
        assert service.metrics()[LIVE] == before + 30
        service.http.get("/v1/tenants", headers=OPERATOR).raise_for_status()
        killed = min(workers_of(service))
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in workers_of(service) and len(workers_of(service)) == 2, "another worker runs")
        service.http.close()
        with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
            service.http = http
            until(lambda: service.metrics()["db_pool_size_configured"] == 20, "the dead one's gauges are gone")
            figures = service.metrics()
            assert figures["db_pool_max_overflow_configured"] == 40
            assert figures["db_pool_utilization_percent"] == figures["db_pool_total_connections"] / 60 * 100
            assert figures[LIVE] >= before + 30
            until(lambda: adds_up(service.metrics()), "the workers have set all gauges")
            assert service.stop() == 0
    assert not list(tmp_path.glob("agente-hotelero-metrics-*"))


def test_what_an_earlier_run_counted_is_not_counted_again(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    told = environment(hotel, redis_url, pms.url, PROMETHEUS_MULTIPROC_DIR=str(folder))
    with serving(told, tmp_path) as service:
        knock(service, 20)
        first = service.metrics()
        assert first[LIVE] >= 20
        assert service.stop() == 0
    assert list(folder.glob("*.db"))
    with serving(told, tmp_path) as service:
        assert service.metrics()[LIVE] < 20
        assert service.metrics()["db_pool_size_configured"] == 10
