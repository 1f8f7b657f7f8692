"""Business events of the audit trail: who was denied, what failed. They are cleaned before they are kept."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from app.core.errors import Invalid
from app.core.ids import uuid7
from app.db.audit_writing import AuditRow
from app.db.tables import SEVERITIES

# A value is masked when the name of its key has one of these in it, whatever its case and separators.
SENSITIVE = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "authorization",
    "cookie",
    "credential",
    "cardnumber",
    "cvv",
    "cvc",
    "iban",
    "passport",
)
MASK = "***"
LONGEST_EVENT_TYPE, LONGEST_RESOURCE, LONGEST_REQUEST_ID = 100, 500, 200
# An event says what happened; documents belong elsewhere.
LARGEST_DETAILS = 64 * 1024
DEEPEST = 20
# The trigger's own, which tell of changed rows: the database refuses them from anyone else.
RESERVED = "row."

# PostgreSQL has no zero character in texts, and UTF-8 none for halves of surrogate pairs.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SEPARATORS = re.compile("[^a-z0-9]")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened, as the service saw it. Its key and time are made here, so that it can be written late.

    `details` are JSON values; those under sensitive names (`SENSITIVE`) are masked, and characters that
    PostgreSQL cannot store become U+FFFD. Raises Invalid when it cannot be stored at all.
    """

    tenant_id: UUID
    event_type: str
    severity: str = "info"
    user_id: UUID | None = None
    resource: str | None = None
    request_id: str | None = None
    details: dict[str, object] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)
    timestamp: datetime = field(default_factory=_now)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise Invalid(f"severity must be one of {', '.join(SEVERITIES)}")
        if self.event_type.startswith(RESERVED):
            raise Invalid(f"events named {RESERVED}* are written by the database only")
        _check_length("event_type", self.event_type, LONGEST_EVENT_TYPE)
        _check_length("resource", self.resource, LONGEST_RESOURCE)
        _check_length("request_id", self.request_id, LONGEST_REQUEST_ID)
        if self.timestamp.tzinfo is None:
            raise Invalid("the time of an event needs a time zone")

    def to_row(self) -> AuditRow:
        """The row to store. Raises Invalid when the details are no JSON, too deep or too large."""
        details = _encode(mask(self.details))
        if len(details.encode()) > LARGEST_DETAILS:
            raise Invalid(f"details of an event may have {LARGEST_DETAILS} bytes")
        return AuditRow(
            tenant_id=self.tenant_id,
            id=self.id,
            timestamp=self.timestamp,
            event_type=_clean(self.event_type),
            severity=self.severity,
            user_id=self.user_id,
            resource=None if self.resource is None else _clean(self.resource),
            request_id=None if self.request_id is None else _clean(self.request_id),
            details=details,
        )


def mask(value: object, depth: int = 0) -> object:
    """Copy JSON values with sensitive ones masked and unstorable characters replaced. Raises Invalid when too deep."""
    if depth > DEEPEST:
        raise Invalid(f"details of an event may be {DEEPEST} levels deep")
    match value:
        case dict():
            return {
                _clean(str(key)): MASK if is_sensitive(str(key)) else mask(item, depth + 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [mask(item, depth + 1) for item in value]
        case str():
            return _clean(value)
        case _:
            return value


def is_sensitive(key: str) -> bool:
    """Whether values under this name are masked."""
    plain = _SEPARATORS.sub("", key.lower())
    return any(word in plain for word in SENSITIVE)


def _clean(value: str) -> str:
    return UNSTORABLE.sub("\ufffd", value)


def _encode(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Invalid("details of an event must be JSON values") from error


def _check_length(name: str, value: str | None, longest: int) -> None:
    if value is not None and not 1 <= len(value) <= longest:
        raise Invalid(f"{name} of an event must have 1 to {longest} characters")
