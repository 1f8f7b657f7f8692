"""What happens at the hotels' desks in a day: each operation as the requests that it consists of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Any

from demo.desk import Answer, Desk

REFUSED = (HTTPStatus.TOO_MANY_REQUESTS,)
CLASHED = (HTTPStatus.CONFLICT,)
UNKNOWN = (HTTPStatus.NOT_FOUND,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a request says; every operation gets all of it and takes its own."""

    tenant: str
    user: str
    platform: str
    value: str
    arrival: date
    departure: date
    guests: int
    room: str
    page: int
    number: int


Run = Callable[[Desk, Values], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that happens; `weight` is how often, in relation to the others."""

    name: str
    weight: int
    run: Run


async def _write(desk: Desk, values: Values, **also: Any) -> Answer | None:
    message = {
        "platform": values.platform,
        "identifier": values.value,
        "text": f"hola, consulta {values.number}",
        "message_id": f"demo-{values.number}",
    }
    return await desk.as_hotel(values.tenant, "POST", "/v1/messages", *REFUSED, json=message | also)


async def _ask_for_rooms(desk: Desk, values: Values) -> None:
    """A guest asks what is free."""
    await _write(desk, values, stay=_stay(values))


async def _say_goodbye(desk: Desk, values: Values) -> None:
    """The last message of a conversation; the desk closes it, unless the guest has written again meanwhile."""
    reply = await _write(desk, values)
    if reply is not None:
        path = f"/v1/sessions/{reply['session_id']}/close"
        await desk.as_hotel(values.tenant, "POST", path, *CLASHED, json={"version": reply["session_version"]})


async def _book(desk: Desk, values: Values) -> None:
    """A guest takes a room, and one in four thinks better of it. Another may have had it first."""
    reply = await _write(desk, values)
    if reply is None:
        return
    session = reply["session_id"]
    night = values.arrival.isoformat()
    hold = {"session_id": session, "room": values.room, "night": night, "seconds": 900}
    if await desk.as_hotel(values.tenant, "POST", "/v1/holds", *CLASHED, json=hold) is None:
        return
    path = f"/v1/holds/{values.room}/{night}"
    if values.number % 4:
        await desk.as_hotel(values.tenant, "POST", f"{path}/confirm", *CLASHED, json={"session_id": session})
    else:
        await desk.as_hotel(values.tenant, "DELETE", path, *CLASHED, params={"session_id": session})


async def _write_to_nobody(desk: Desk, values: Values) -> None:
    """A message of somebody whom the hotel does not know."""
    stranger = {"platform": "telegram", "identifier": f"stranger_{values.number}", "text": "hola"}
    await desk.as_hotel(values.tenant, "POST", "/v1/messages", *UNKNOWN, json=stranger)


async def _rates(desk: Desk, values: Values) -> None:
    nights = {"arrival": values.arrival.isoformat(), "departure": values.departure.isoformat()}
    away = (HTTPStatus.SERVICE_UNAVAILABLE,)
    await desk.as_hotel(values.tenant, "GET", "/v1/rates", *away, params=nights)


async def _newest_sessions(desk: Desk, values: Values) -> None:
    await desk.as_hotel(values.tenant, "GET", "/v1/sessions", params={"limit": 20})


async def _sessions_of_guest(desk: Desk, values: Values) -> None:
    await desk.as_hotel(values.tenant, "GET", "/v1/sessions", params={"user_id": values.user, "limit": 20})


async def _audit_page(desk: Desk, values: Values) -> None:
    await desk.as_hotel(values.tenant, "GET", "/v1/audit", params={"page": values.page, "page_size": 20})


async def _audit_of_guest(desk: Desk, values: Values) -> None:
    await desk.as_hotel(values.tenant, "GET", "/v1/audit", params={"user_id": values.user, "cursor": ""})


async def _search(desk: Desk, values: Values) -> None:
    await desk.as_hotel(values.tenant, "GET", "/v1/audit", params={"q": f"nights {values.guests}"})


async def _alerts(desk: Desk, _: Values) -> None:
    """What went wrong lately, at all hotels."""
    await desk.as_operator("GET", "/v1/audit", params={"severity": "critical", "cursor": ""})


async def _events_of_a_kind(desk: Desk, _: Values) -> None:
    await desk.as_operator("GET", "/v1/audit", params={"event_type": "permission.denied", "cursor": ""})


async def _hotel(desk: Desk, values: Values) -> None:
    await desk.as_operator("GET", f"/v1/tenants/{values.tenant}")


async def _identifiers_of_guest(desk: Desk, values: Values) -> None:
    await desk.as_operator("GET", f"/v1/tenants/{values.tenant}/identifiers", params={"user_id": values.user})


async def _new_identifier(desk: Desk, values: Values) -> None:
    """A guest gives an address, and takes it back."""
    path = f"/v1/tenants/{values.tenant}/identifiers"
    wanted = {"platform": "email", "value": f"nuevo.{values.number}@example.org", "user_id": values.user}
    made = await desk.as_operator("POST", path, *CLASHED, json=wanted)
    if made is not None:
        await desk.as_operator("DELETE", f"{path}/{made['id']}")


def _stay(values: Values) -> dict[str, object]:
    return {
        "arrival": values.arrival.isoformat(),
        "departure": values.departure.isoformat(),
        "guests": values.guests,
    }


OPERATIONS = (
    Operation(name="message", weight=260, run=_write),
    Operation(name="question", weight=300, run=_ask_for_rooms),
    Operation(name="goodbye", weight=40, run=_say_goodbye),
    Operation(name="booking", weight=60, run=_book),
    Operation(name="stranger", weight=10, run=_write_to_nobody),
    Operation(name="rates", weight=40, run=_rates),
    Operation(name="newest sessions", weight=60, run=_newest_sessions),
    Operation(name="sessions of guest", weight=60, run=_sessions_of_guest),
    Operation(name="audit page", weight=60, run=_audit_page),
    Operation(name="audit of guest", weight=40, run=_audit_of_guest),
    Operation(name="audit search", weight=15, run=_search),
    Operation(name="alerts", weight=15, run=_alerts),
    Operation(name="audit of event type", weight=15, run=_events_of_a_kind),
    Operation(name="hotel", weight=15, run=_hotel),
    Operation(name="identifiers of guest", weight=15, run=_identifiers_of_guest),
    Operation(name="new identifier", weight=15, run=_new_identifier),
)
