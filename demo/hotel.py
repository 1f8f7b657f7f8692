"""The hotel group's data as streams for COPY, in the order of their foreign keys: same seed, same bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from random import Random

from demo.guests import Directory, Tenant, choose, make_directory, uuid_at
from demo.pms.inventory import hotel_code
from demo.rhythm import DAY_MS, HOUR_MS, milliseconds, moments, stamp
from demo.scale import Scale

NULL = r"\N"
BLOCK_CHARACTERS = 256 * 1024
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Rows of one table in COPY's text format, one a line, made while they are read."""

    table: str
    columns: tuple[str, ...]
    rows: int
    lines: Iterator[str]

    def blocks(self) -> Iterator[bytes]:
        """Give the lines in blocks large enough to be sent."""
        pending: list[str] = []
        size = 0
        for line in self.lines:
            pending.append(line)
            size += len(line)
            if size >= BLOCK_CHARACTERS:
                yield "".join(pending).encode()
                pending, size = [], 0
        yield "".join(pending).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A kind of audit event; `per_10000` is how many of ten thousand events are of this kind."""

    type: str
    severity: str
    per_10000: int
    resource: str
    detail: str


EVENTS = (
    Event(type="message.received", severity="info", per_10000=3300, resource="session", detail="characters"),
    Event(type="message.sent", severity="info", per_10000=2900, resource="session", detail="characters"),
    Event(type="session.started", severity="info", per_10000=900, resource="session", detail="attempt"),
    Event(type="session.closed", severity="info", per_10000=850, resource="session", detail="messages"),
    Event(type="availability.checked", severity="debug", per_10000=650, resource="room", detail="nights"),
    Event(type="reservation.created", severity="info", per_10000=330, resource="reservation", detail="nights"),
    Event(type="payment.authorized", severity="info", per_10000=270, resource="payment", detail="cents"),
    Event(type="reservation.changed", severity="info", per_10000=180, resource="reservation", detail="nights"),
    Event(type="identifier.linked", severity="info", per_10000=130, resource="identifier", detail="attempt"),
    Event(type="lock.acquired", severity="debug", per_10000=110, resource="room", detail="token"),
    Event(type="reservation.cancelled", severity="warning", per_10000=90, resource="reservation", detail="nights"),
    Event(type="rate_limit.exceeded", severity="warning", per_10000=80, resource="session", detail="requests"),
    Event(type="login.failed", severity="warning", per_10000=70, resource="account", detail="attempt"),
    Event(type="lock.expired", severity="warning", per_10000=40, resource="room", detail="token"),
    Event(type="payment.failed", severity="error", per_10000=40, resource="payment", detail="cents"),
    Event(type="pms.timeout", severity="error", per_10000=35, resource="pms", detail="milliseconds"),
    Event(type="permission.denied", severity="error", per_10000=15, resource="tenant", detail="attempt"),
    Event(type="circuit_breaker.opened", severity="critical", per_10000=10, resource="pms", detail="failures"),
)
_EVENT_BOUNDS = tuple(accumulate(event.per_10000 for event in EVENTS))
SYSTEM_EVENT_SHARE = 0.06


def streams(scale: Scale, seed: int, until: datetime) -> Iterator[Stream]:
    """Give every table's stream; `until` (aware) is the last moment of the data's year."""
    directory = make_directory(scale, seed, until)
    yield Stream(
        table="tenants",
        columns=("id", "name", "timezone", "settings", "created_at", "updated_at"),
        rows=len(directory.tenants),
        lines=_tenants(directory.tenants),
    )
    yield Stream(
        table="tenant_user_identifiers",
        columns=(
            "tenant_id", "id", "user_id", "platform", "identifier_value",
            "verified_at", "created_at", "updated_at", "deleted_at",
        ),
        rows=scale.identifiers,
        lines=_identifiers(directory),
    )  # fmt: skip
    yield Stream(
        table="sessions",
        columns=(
            "tenant_id", "id", "user_id", "identifier_id", "platform", "state", "version",
            "context", "last_message_at", "closed_at", "created_at", "updated_at",
        ),
        rows=scale.sessions,
        lines=_sessions(directory, scale.sessions, until, Random(f"{seed}:sessions")),
    )  # fmt: skip
    yield Stream(
        table="locks",
        columns=(
            "tenant_id", "id", "resource", "owner", "fencing_token",
            "acquired_at", "expires_at", "released_at", "created_at", "updated_at",
        ),
        rows=scale.locks,
        lines=_locks(directory, scale.locks, until, Random(f"{seed}:locks")),
    )  # fmt: skip
    yield Stream(
        table="audit_logs",
        columns=(
            "tenant_id", "id", "timestamp", "event_type", "severity", "user_id",
            "resource", "request_id", "details", "created_at", "updated_at",
        ),
        rows=scale.audit_logs,
        lines=_audit_logs(directory, scale.audit_logs, until, Random(f"{seed}:audit_logs")),
    )  # fmt: skip


def _line(*values: str) -> str:
    return "\t".join(values) + "\n"


def _tenants(tenants: tuple[Tenant, ...]) -> Iterator[str]:
    for number, tenant in enumerate(tenants):
        settings = f'{{"language": "es", "rooms": {20 + 400 // (number + 1)}, "pms_hotel": "{hotel_code(number)}"}}'
        created = stamp(tenant.created)
        yield _line(tenant.id, tenant.name, tenant.timezone, settings, created, created)


def _identifiers(directory: Directory) -> Iterator[str]:
    for identifier in directory.identifiers:
        created = stamp(identifier.created)
        removed = NULL if identifier.removed is None else stamp(identifier.removed)
        tenant = directory.tenants[identifier.tenant].id
        yield _line(
            tenant,
            identifier.id,
            identifier.user,
            identifier.platform,
            identifier.value,
            created,
            created,
            created if removed is NULL else removed,
            removed,
        )


def _sessions(directory: Directory, count: int, until: datetime, random: Random) -> Iterator[str]:
    recent = milliseconds(until) - DAY_MS
    for started in moments(count, until, random):
        tenant = directory.tenant(random)
        guest = directory.identifier(tenant, random)
        messages = 1 + int(random.random() * 12)
        last = min(started + int(random.random() * messages * 3 * MINUTE_MS), recent + DAY_MS)
        state = _state(started >= recent, random)
        closed = stamp(last + 30 * MINUTE_MS) if state == "closed" else NULL
        yield _line(
            directory.tenants[tenant].id,
            uuid_at(started, random),
            guest.user,
            guest.id,
            guest.platform,
            state,
            str(messages),
            f'{{"messages": {messages}, "language": "es"}}',
            stamp(last),
            closed,
            stamp(started),
            stamp(last) if closed is NULL else closed,
        )


def _state(recent: bool, random: Random) -> str:
    """A conversation of the last day mostly goes on; of the others a few were never closed."""
    chance = random.random()
    if recent:
        return "active" if chance < 0.6 else "idle"
    return "active" if chance < 0.005 else "idle" if chance < 0.02 else "closed"


def lock_resource(number: int) -> str:
    """Name of the resource that the lock with this number is for."""
    kind = ("room", "reservation", "pms-sync", "night-audit")[number % 4]
    return f"{kind}:{number}"


def _locks(directory: Directory, count: int, until: datetime, random: Random) -> Iterator[str]:
    """Most have been released; a few are held now, and a few holders died and never came back."""
    now = milliseconds(until)
    for number in range(count):
        tenant = directory.tenants[number % len(directory.tenants)]
        fate = random.random()
        age = 20_000 if fate < 0.02 else HOUR_MS if fate < 0.04 else int((1 + 29 * random.random()) * DAY_MS)
        acquired = now - int(age * (0.5 + random.random() / 2))
        released = NULL if fate < 0.04 else stamp(acquired + int(random.random() * 30_000))
        yield _line(
            tenant.id,
            uuid_at(acquired, random),
            lock_resource(number),
            f"agent-{int(random.random() * 4)}",
            str(1 + int(random.random() * 500)),
            stamp(acquired),
            stamp(acquired + 30_000),
            released,
            stamp(acquired),
            stamp(acquired) if released is NULL else released,
        )


def _audit_logs(directory: Directory, count: int, until: datetime, random: Random) -> Iterator[str]:
    # Written out rather than through helpers: this runs two million times at full scale.
    tenants = [tenant.id for tenant in directory.tenants]
    for moment in moments(count, until, random):
        tenant = directory.tenant(random)
        user = directory.identifier(tenant, random).user if random.random() > SYSTEM_EVENT_SHARE else NULL
        event = choose(EVENTS, _EVENT_BOUNDS, random)
        number = random.getrandbits(64)
        at = stamp(moment)
        yield (
            f"{tenants[tenant]}\t{uuid_at(moment, random)}\t{at}\t{event.type}\t{event.severity}\t{user}"
            f"\t{event.resource}:{number & 0xFFFFF:05x}\treq-{number:016x}"
            f'\t{{"{event.detail}": {number % 9973}}}\t{at}\t{at}\n'
        )
