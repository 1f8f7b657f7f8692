"""What the audit trigger wrote, as tests ask for it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.integration.app.hotel import Hotel

Change = tuple[str, str, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The trail of a hotel, from the moment that this was made on."""

    hotel: Hotel

    def __post_init__(self) -> None:
        self.hotel.owner.execute("delete from audit_logs")

    def changes(self) -> Counter[Change]:
        """How many rows there are for each operation, table and key."""
        rows = self.hotel.owner.execute(
            "select details ->> 'operation', details ->> 'table', (details ->> 'id')::uuid, event_type, resource"
            " from audit_logs"
        ).fetchall()
        for operation, table, key, event, resource in rows:
            assert (event, resource) == (f"row.{operation}", f"{table}/{key}")
        return Counter((operation, table, key) for operation, table, key, *_ in rows)  # type: ignore[misc]

    def only(self) -> dict[str, Any]:
        """The one row."""
        (found,) = self.hotel.owner.execute("select to_jsonb(a) from audit_logs a").fetchall()
        row = found[0]
        assert isinstance(row, dict)
        return row
