"""The sandbox PMS over HTTP: what it refuses, and that its faults can be dialled."""

import time
from itertools import pairwise

import httpx
import pytest

from tests.integration.app.resilience.ground import HOTEL, Pms

DATES = "arrival=2026-11-24&departure=2026-11-26"
BOOKING = {"room_type": "doble", "arrival": "2027-03-01", "departure": "2027-03-02", "guests": 2}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/", 404, "no_such_path"),
        ("/hotels/nowhere/rates?" + DATES, 404, "no_such_hotel"),
        (f"/hotels/{HOTEL}/rates", 422, "invalid_request"),
        (f"/hotels/{HOTEL}/rates?arrival=2026-13-01&departure=x", 422, "invalid_request"),
        (f"/hotels/{HOTEL}/rates?arrival=2026-11-24&departure=2026-11-24", 422, "impossible_stay"),
        (f"/hotels/{HOTEL}/rates?arrival=2026-11-24&departure=9999-12-31", 422, "impossible_stay"),
        (f"/hotels/{HOTEL}/availability?{DATES}&guests=0", 422, "invalid_request"),
        (f"/hotels/{HOTEL}/availability?{DATES}&guests=%27--", 422, "invalid_request"),
    ],
)
def test_a_bad_query_is_refused(pms: Pms, path: str, status: int, code: str) -> None:
    answer = pms.http.get(path)
    assert (answer.status_code, answer.json()) == (status, {"code": code})


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{}", {}, 400, "idempotency_key_missing"),
        (b"{", {"Idempotency-Key": "a"}, 400, "malformed_json"),
        (b"\xff", {"Idempotency-Key": "a"}, 400, "malformed_json"),
        (b"{}", {"Idempotency-Key": "a"}, 422, "invalid_request"),
        (b"x" * 70_000, {"Idempotency-Key": "a"}, 413, "body_too_large"),
    ],
)
def test_a_bad_booking_is_refused(pms: Pms, content: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = pms.http.post(f"/hotels/{HOTEL}/bookings", content=content, headers=headers)
    assert (answer.status_code, answer.json()) == (status, {"code": code})


@pytest.mark.parametrize("setting", [{"mode": "sideways"}, {"delay": -1}, {"failure_rate": 2}, {"unknown": 1}])
def test_a_dial_that_is_turned_wrong_stays(pms: Pms, setting: dict[str, object]) -> None:
    assert pms.http.put("/_dial", json=setting).status_code == 422
    assert pms.http.get("/_dial").json()["mode"] == "up"


def statuses(pms: Pms, requests: int) -> list[int]:
    return [pms.http.get("/hotels").status_code for _ in range(requests)]


def test_which_requests_fail_is_the_seed_s_choice(pms: Pms) -> None:
    pms.dial(failure_rate=0.3, seed=5)
    first = statuses(pms, 100)
    assert 15 <= first.count(500) <= 45
    pms.dial(failure_rate=0.3, seed=5)
    assert statuses(pms, 100) == first
    pms.dial(failure_rate=0.3, seed=6)
    assert statuses(pms, 100) != first
    assert pms.requests("hotels") == 100


def test_down_refuses_and_flapping_goes_up_and_down(pms: Pms) -> None:
    pms.dial(mode="down")
    assert set(statuses(pms, 5)) == {503}
    pms.dial(mode="flapping", period=0.4)
    seen, end = [], time.monotonic() + 0.7
    while time.monotonic() < end:
        seen += statuses(pms, 1)
        time.sleep(0.01)
    changes = sum(one != other for one, other in pairwise(seen))
    assert seen[0] == 503
    assert changes >= 2


def test_a_delay_holds_the_answer_back(pms: Pms) -> None:
    pms.dial(delay=0.2)
    begun = time.monotonic()
    assert pms.http.get("/hotels").is_success
    assert time.monotonic() - begun >= 0.2
    with pytest.raises(httpx.ReadTimeout):
        pms.http.get("/hotels", timeout=0.05)
    pms.dial()
    assert pms.http.get("/hotels").is_success


def test_the_same_key_gives_the_same_booking(pms: Pms) -> None:
    headers = {"Idempotency-Key": "test_sandbox_pms"}
    answers = [pms.http.post(f"/hotels/{HOTEL}/bookings", json=BOOKING, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "held"
