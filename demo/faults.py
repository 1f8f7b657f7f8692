"""The planted faults: what was done to the hotel's database, and what the analyses must say about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import psycopg

from demo.queries import load_all

REQUEST_LOOKUPS = 60

Moment = Literal["before the data", "before the traffic", "after the traffic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A finding that must come: its rule (docs/rules.md), the table, and the index, existing or proposed."""

    rule: str
    table: str
    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: sql/faults/<id>.sql plants it at its moment, run so many times.

    `fails` is the SQLSTATE that the last statement ends with, where that is the fault.
    """

    id: str
    what: str
    planted: Moment
    expected: Expected
    fails: str | None = None
    times: int = 1

    @property
    def finding(self) -> tuple[str, str]:
        """The finding that must come: its rule and its subject."""
        return self.expected.rule, self.expected.index


FAULTS = (
    Fault(
        id="missing_declared",
        what="a critical index was dropped",
        planted="before the traffic",
        expected=Expected(rule="IDX001", table="audit_logs", index="idx_audit_logs_event_type_timestamp"),
    ),
    Fault(
        id="drifted_predicate",
        what="a partial index was rebuilt without its WHERE",
        planted="before the traffic",
        expected=Expected(rule="IDX002", table="audit_logs", index="idx_audit_logs_severity_timestamp"),
    ),
    Fault(
        id="drifted_order",
        what="an index was rebuilt without its DESC",
        planted="before the traffic",
        expected=Expected(rule="IDX002", table="sessions", index="idx_sessions_tenant_id_created_at"),
    ),
    Fault(
        id="foreign_key",
        what="a new table refers to sessions, and nothing supports its foreign key",
        planted="before the traffic",
        expected=Expected(rule="IDX003", table="room_offers", index="idx_room_offers_tenant_id_session_id"),
    ),
    Fault(
        id="missing_by_workload",
        what="support looks up requests, and no index leads with their id",
        planted="after the traffic",
        expected=Expected(rule="IDX004", table="audit_logs", index="idx_audit_logs_request_id"),
        times=REQUEST_LOOKUPS,
    ),
    Fault(
        id="unused",
        what="an index is left over from a report that nobody runs",
        planted="before the data",
        expected=Expected(rule="IDX005", table="audit_logs", index="idx_audit_logs_resource"),
    ),
    Fault(
        id="exact_duplicate",
        what="the same index exists twice",
        planted="after the traffic",
        expected=Expected(rule="IDX006", table="audit_logs", index="audit_logs_tenant_time"),
    ),
    Fault(
        id="mirror_duplicate",
        what="an index is another read backwards",
        planted="after the traffic",
        expected=Expected(rule="IDX006", table="audit_logs", index="idx_audit_logs_user_id_timestamp_asc"),
    ),
    Fault(
        id="prefix_duplicate",
        what="an index is the beginning of another",
        planted="after the traffic",
        expected=Expected(rule="IDX007", table="sessions", index="idx_sessions_user_id"),
    ),
    Fault(
        id="invalid",
        what="a unique index could not be built, and its remains were left",
        planted="before the traffic",
        expected=Expected(rule="IDX008", table="sessions", index="idx_sessions_identifier_id"),
        fails="23505",
    ),
    Fault(
        id="bloated",
        what="a job wrote and deleted locks under ever new names",
        planted="after the traffic",
        expected=Expected(rule="IDX009", table="locks", index="idx_locks_resource_tenant_id"),
    ),
)


def planted(faults: Iterable[Fault], moment: Moment) -> tuple[Fault, ...]:
    """Give those that belong to the moment."""
    return tuple(fault for fault in faults if fault.planted == moment)


def plant(dsn: str, faults: Iterable[Fault], tell: Callable[[str], None]) -> None:
    """Do to the database what the faults say; `tell` hears which one it is.

    Raises psycopg.Error for a failure that is not itself the fault.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        for fault in faults:
            tell(fault.what)
            try:
                for statement in load_all(f"faults/{fault.id}") * fault.times:
                    connection.execute(statement)
            except psycopg.Error as error:
                if error.sqlstate != fault.fails:
                    raise
