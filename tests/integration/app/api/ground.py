"""The service with real servers behind it, and those who call it: two hotels' programs and the operator."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from pydantic import HttpUrl, SecretStr

from app.api.parts import Parts
from app.api.settings import ServiceSettings
from app.core.tenancy import TenantScope
from app.main import create_app
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import HOTEL

ADMIN_TOKEN = "operator-of-the-tests-417"
OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
GUEST = {"platform": "whatsapp", "identifier": "+34 612 345 678"}
Headers = Mapping[str, str]
# All that a request could change.
TABLES = ("tenants", "tenant_user_identifiers", "sessions", "locks", "room_holds", "api_tokens", "audit_logs")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The running service. `ours` and `theirs` are the headers of the two hotels' programs."""

    hotel: Hotel
    application: FastAPI
    http: httpx.AsyncClient
    ours: Headers
    theirs: Headers

    @property
    def parts(self) -> Parts:
        found = self.application.state.parts
        assert isinstance(found, Parts)
        return found

    def contents(self) -> dict[str, tuple[object, ...]]:
        """What stands in all tables: how many rows, and a hash of them."""
        query = "select count(*), md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} as t"
        return {table: self.hotel.one(query.format(table)) for table in TABLES}

    async def send(self, method: str, path: str, body: object, headers: Headers) -> httpx.Response:
        """Send JSON as other programs do, which may name characters by their numbers that UTF-8 has no bytes for."""
        whole = {**headers, "Content-Type": "application/json"}
        return await self.http.request(method, path, content=json.dumps(body), headers=whole)

    async def write(self, **changed: object) -> httpx.Response:
        """Hand in a guest's message, as our hotel's program."""
        return await self.send("POST", "/v1/messages", GUEST | {"text": "Hola"} | changed, self.ours)


def is_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """Check the document; it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert {"type", "title", "status", "detail", "request_id"} <= document.keys()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


def settings_of(hotel: Hotel, redis_url: str, pms_url: str, spool: Path, **more: Any) -> ServiceSettings:
    """Settings of the service, as they would stand in the environment."""
    told = {
        "redis_url": SecretStr(redis_url),
        "redis_timeout": 2.0,
        "pms_base_url": HttpUrl(pms_url),
        "admin_token": SecretStr(ADMIN_TOKEN),
        "audit_spool": spool / "spool" / "audit",
    }
    values = hotel.settings.model_dump() | told | more
    return ServiceSettings(_env_file=None, **values)  # type: ignore[call-arg]  # pydantic's, not a field


@asynccontextmanager
async def running(settings: ServiceSettings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Run the application in this process, without a socket."""
    application = create_app(settings)
    transport = httpx.ASGITransport(application)
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield application, client


def in_days(days: int) -> str:
    """A day as requests name it, counted from today."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def stay() -> dict[str, object]:
    """A stay that our hotel's PMS has rooms for."""
    return {"arrival": in_days(3), "departure": in_days(5), "guests": 2}


async def program_of(http: httpx.AsyncClient, scope: TenantScope) -> Headers:
    """Make a token for a hotel's program; the headers that it sends."""
    made = await http.post(f"/v1/tenants/{scope.tenant_id}/tokens", json={"name": "bridge"}, headers=OPERATOR)
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['token']}"}


async def furnish(http: httpx.AsyncClient, scope: TenantScope, value: str) -> UUID:
    """Give a hotel its PMS, and a guest; the guest's identifier."""
    path = f"/v1/tenants/{scope.tenant_id}"
    changed = await http.patch(path, json={"settings": {"pms_hotel": HOTEL}}, headers=OPERATOR)
    assert changed.status_code == 200, changed.text
    wanted = {"platform": "whatsapp", "value": value}
    added = await http.post(f"{path}/identifiers", json=wanted, headers=OPERATOR)
    assert added.status_code == 201, added.text
    return UUID(added.json()["id"])
