"""The far side of the service's HTTP: the hotels' programs and the operator, each with its token."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from dbvitals.errors import DbvitalsError
from demo.service import Service

# What a request may take on a machine that is busy with other things.
PATIENCE = 30.0

Answer = dict[str, Any]


class TrafficError(DbvitalsError):
    """The service answered what it should not have."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Sends requests: as a hotel's program, or as the operator."""

    http: httpx.AsyncClient
    operator: str
    tokens: dict[str, str]

    async def as_hotel(self, tenant: str, method: str, path: str, *also: int, **request: Any) -> Answer | None:
        """Give the answer; None for a status among `also`, which is no failure. Raises TrafficError for any other."""
        return await self._send(self.tokens[tenant], method, path, also, request)

    async def as_operator(self, method: str, path: str, *also: int, **request: Any) -> Answer | None:
        """Give the answer, as above."""
        return await self._send(self.operator, method, path, also, request)

    async def _send(
        self, token: str, method: str, path: str, also: Sequence[int], request: dict[str, Any]
    ) -> Answer | None:
        answer = await self.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **request)
        if answer.is_success:
            found: Answer | None = answer.json() if answer.content else None
            return found
        if answer.status_code in also:
            return None
        raise TrafficError(f"{method} {path}: {answer.status_code} {HTTPStatus(answer.status_code).phrase}")


def client(service: Service, connections: int) -> httpx.AsyncClient:
    """An HTTP client that knows no proxy, and keeps as many connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=service.url, limits=limits, timeout=PATIENCE, trust_env=False)


async def open_desk(http: httpx.AsyncClient, service: Service, tenants: Sequence[str]) -> Desk:
    """Make a token for every hotel, as its operator does once."""
    desk = Desk(http, service.admin_token, {})
    for tenant in tenants:
        made = await desk.as_operator("POST", f"/v1/tenants/{tenant}/tokens", json={"name": "demo"})
        if made is not None:
            desk.tokens[tenant] = made["token"]
    return desk
