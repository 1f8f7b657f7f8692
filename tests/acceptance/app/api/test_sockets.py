"""Clients that send too much, too slowly, half of it, or no HTTP at all; and the service after them."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from dbvitals.sandbox.ports import LOOPBACK
from tests.acceptance.app.api.serving import PATIENCE, Service, environment, serving
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import Pms

HEAD = "POST /v1/messages HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"
HALF = f'{HEAD}Content-Length: 100\r\n\r\n{{"platform":'
TWO_LENGTHS = f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"


@pytest.fixture
def service(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> Iterator[Service]:
    told = environment(hotel, redis_url, pms.url, HTTP_BODY_TIMEOUT="1", HTTP_LARGEST_BODY="1024")
    with serving(told, tmp_path) as started:
        yield started
        assert started.http.get("/health/live").status_code == 200
        assert started.stop() == 0
        assert [line for line in started.lines() if line["level"] == "error"] == []


def exchange(service: Service, sent: str) -> tuple[int, object]:
    """Send bytes, and read until the service closes; the status, and the one that the problem's document names."""
    port = service.http.base_url.port
    assert port is not None
    with socket.create_connection((LOOPBACK, port), PATIENCE) as connection:
        connection.sendall(sent.encode())
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["status"] if body.startswith(b"{") else None


def leave(service: Service, sent: str) -> None:
    """Send bytes, and wait for no answer."""
    port = service.http.base_url.port
    assert port is not None
    with socket.create_connection((LOOPBACK, port), PATIENCE) as connection:
        connection.sendall(sent.encode())


def test_bodies_are_bounded_in_size_and_in_time(service: Service) -> None:
    chunks = f"{500:x}\r\n{' ' * 500}\r\n" * 3
    assert exchange(service, f"{HEAD}Content-Length: 1000000000\r\n\r\n") == (413, 413)
    assert exchange(service, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}") == (413, 413)
    assert exchange(service, HALF) == (408, 408)


def test_what_is_half_a_request_or_none_at_all_does_no_harm(service: Service) -> None:
    leave(service, HALF)
    leave(service, HEAD)
    for strange in ("\x16\x03\x01 SSH-2.0 SELECT 1;\r\n\r\n", f"{HEAD}Content-Length: -1\r\n\r\n", TWO_LENGTHS):
        assert exchange(service, strange)[0] == 400
    with suppress(httpx.TransportError):  # the connection may be closed before all of it is sent
        answer = service.http.get("/health/live", headers={"X-Padding": "x" * 10_000_000})
        assert answer.status_code == 400
