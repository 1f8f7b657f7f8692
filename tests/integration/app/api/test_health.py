"""Readiness and metrics: what is away is named, guests are served while they can be, and all comes back."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from dbvitals.sandbox.ports import LOOPBACK, free_port
from tests.integration.app.api.ground import GUEST, House, furnish, program_of, running, settings_of, stay
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.conftest import killable_redis  # noqa: F401
from tests.integration.app.resilience.ground import KillableRedis, Pms

POOL = {
    "db_pool_active_connections",
    "db_pool_idle_connections",
    "db_pool_total_connections",
    "db_pool_utilization_percent",
    "db_pool_overflow",
    "db_pool_long_running_queries",
    "db_pool_idle_in_transaction",
    "db_pool_size_configured",
    "db_pool_max_overflow_configured",
}


async def readiness(http: httpx.AsyncClient, wanted: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask until the answer is as wanted."""
    async with asyncio.timeout(60):
        while not wanted(answer := await http.get("/health/ready")):
            await asyncio.sleep(0.1)
    return answer


def down_parts(answer: httpx.Response) -> set[str]:
    return {name for name, part in answer.json()["parts"].items() if part["status"] == "down"}


@pytest.mark.asyncio
async def test_with_everything_there_it_is_ready(house: House) -> None:
    assert (await house.http.get("/health/live")).json() == {"status": "ok"}
    answer = await readiness(house.http, lambda found: found.json()["status"] == "ok")
    assert answer.status_code == 200
    assert answer.json()["parts"].keys() == {
        "postgresql",
        "redis",
        "pms",
        "identifiers",
        "audit_spool",
        "background",
    }


@pytest.mark.asyncio
async def test_without_postgresql_it_starts_and_says_so(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    settings = settings_of(hotel, redis_url, pms.url, tmp_path, postgres_host=LOOPBACK, postgres_port=free_port())
    async with running(settings) as (_, http):
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        assert down_parts(answer) >= {"postgresql", "identifiers"}
        assert str(settings.postgres_port) not in answer.text
        refused = await http.get("/v1/sessions", headers={"Authorization": "Bearer aht_" + "0" * 32 + "_" + "A" * 43})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.asyncio
async def test_without_redis_guests_are_served_and_it_comes_back(
    hotel: Hotel,
    killable_redis: KillableRedis,  # noqa: F811
    pms: Pms,
    tmp_path: Path,
) -> None:
    async with running(settings_of(hotel, killable_redis.url, pms.url, tmp_path)) as (application, http):
        await furnish(http, hotel.ours, GUEST["identifier"])
        ours = await program_of(http, hotel.ours)
        house = House(hotel=hotel, application=application, http=http, ours=ours, theirs={})
        killable_redis.kill()
        for _ in range(3):
            answer = await house.write(stay=stay())
            assert (answer.status_code, answer.json()["kind"]) == (200, "offers"), answer.text
        degraded = await readiness(http, lambda found: "redis" in down_parts(found))
        assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
        killable_redis.start()
        await readiness(http, lambda found: found.json()["status"] == "ok")
        assert (await house.write(stay=stay())).status_code == 200


@pytest.mark.asyncio
async def test_a_pms_that_cannot_be_reached_is_named(hotel: Hotel, redis_url: str, tmp_path: Path) -> None:
    settings = settings_of(hotel, redis_url, f"http://{LOOPBACK}:{free_port()}", tmp_path)
    async with running(settings) as (_, http):
        answer = await readiness(http, lambda found: down_parts(found) == {"pms"})
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


@pytest.mark.asyncio
async def test_an_open_breaker_is_shown(house: House, pms: Pms) -> None:
    pms.dial(mode="down")
    for number in range(3):
        await house.write(stay=stay() | {"guests": number + 1})
    await readiness(house.http, lambda found: "pms" in down_parts(found))
    page = (await house.http.get("/metrics")).text
    assert 'pms_circuit_breaker_state{pms="pms"} 1.0' in page


@pytest.mark.asyncio
async def test_the_page_has_all_the_metrics_that_are_promised(house: House) -> None:
    await house.write(stay=stay())
    answer = await house.http.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families.keys() >= POOL | {
        "pms_api_latency_seconds",
        "pms_circuit_breaker_state",
        "redis_hit_ratio",
        "redis_cache_requests",
        "http_request_duration_seconds",
        "audit_events",
        "audit_spool_bytes",
    }
    assert all(family.documentation for family in families.values())
    values = {name: families[name].samples[0].value for name in POOL}
    assert values["db_pool_size_configured"] == 10
    assert values["db_pool_utilization_percent"] == pytest.approx(values["db_pool_total_connections"] / 30 * 100)
    assert values["db_pool_active_connections"] == 0
    assert values["db_pool_idle_connections"] == values["db_pool_total_connections"] >= 1


@pytest.mark.asyncio
async def test_no_label_names_a_hotel_a_guest_or_a_row(house: House) -> None:
    session = (await house.write(stay=stay())).json()["session_id"]
    await house.http.get(f"/v1/sessions/{session}", headers=house.ours)
    await house.http.get("/v1/nothing/of/the/kind")
    page = (await house.http.get("/metrics")).text
    for secret in (session, str(house.hotel.ours.tenant_id), "612345678", "nothing", "miravalle"):
        assert secret not in page
    assert 'route="/v1/sessions/{session_id}"' in page
    assert 'route="unmatched"' in page


@pytest.mark.asyncio
async def test_the_page_can_be_kept_from_strangers(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    token = "for-the-eyes-of-prometheus"
    settings = settings_of(hotel, redis_url, pms.url, tmp_path, metrics_token=SecretStr(token))
    async with running(settings) as (_, http):
        assert (await http.get("/metrics")).status_code == 401
        assert (await http.get("/metrics", headers={"Authorization": f"Bearer {token}x"})).status_code == 401
        assert (await http.get("/metrics", headers={"Authorization": f"bearer {token}"})).status_code == 200


@pytest.mark.asyncio
async def test_behind_pgbouncer_changes_are_heard_from_postgresql_itself(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    """PgBouncer is only in the settings: what matters here is where the announcements are heard."""
    direct = f"{hotel.settings.postgres_host}:{hotel.settings.postgres_port}"
    settings = settings_of(hotel, redis_url, pms.url, tmp_path, postgres_pgbouncer=True, postgres_direct=direct)
    async with running(settings) as (_, http):
        await readiness(http, lambda found: found.json()["status"] == "ok")
    deaf = settings.model_copy(update={"postgres_direct": None})
    async with running(deaf) as (_, http):
        await readiness(http, lambda found: down_parts(found) == {"identifiers"})


@pytest.mark.asyncio
async def test_background_work_that_fails_is_named_and_begins_again(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    hotel.owner.execute("drop role if exists late_admin")
    hotel.owner.execute("create role late_admin login")
    try:
        settings = settings_of(hotel, redis_url, pms.url, tmp_path, postgres_admin_user="late_admin")
        async with running(settings) as (_, http):
            answer = await readiness(http, lambda found: "audit-rollup" in str(found.json()["parts"]["background"]))
            assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
            assert "background" in down_parts(answer)
            hotel.owner.execute("grant hotel_admin to late_admin")
            await readiness(http, lambda found: found.json()["status"] == "ok")
    finally:
        hotel.owner.execute("drop role late_admin")
