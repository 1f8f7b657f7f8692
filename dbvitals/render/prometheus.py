"""The figures of a connection report in Prometheus' text format, for node_exporter's textfile collector."""

import math
import re
from collections.abc import Iterator

from dbvitals.analyse.connection_report import ConnectionReport

_GUIDE = (
    ("db_pool_active_connections", "active_connections", "Connections that execute a query."),
    ("db_pool_idle_connections", "idle_connections", "Connections that are available in the pool."),
    ("db_pool_total_connections", "total_connections", "Connections of the database, active and idle."),
    ("db_pool_utilization_percent", "pool_utilization_percent", "Connections by capacity of the pool, 0..100."),
    ("db_pool_overflow", "overflow_in_use", "Connections beyond the base size of the pool."),
    ("db_pool_long_running_queries", "long_running_queries", "Queries that run for longer than the threshold."),
    ("db_pool_idle_in_transaction", "idle_in_transaction", "Connections with an open transaction that do nothing."),
    ("db_pool_size_configured", "pool_size_configured", "Base size of the pool as configured."),
    ("db_pool_max_overflow_configured", "max_overflow_configured", "Overflow of the pool as configured; -1: no limit."),
)
_MORE = (
    ("dbvitals_pool_busy_percent", "pool_busy_percent", "Connections in a query or transaction by capacity, 0..100."),
    ("dbvitals_blocked_connections", "blocked_connections", "Connections that wait for a lock of another one."),
    ("dbvitals_server_connections_percent", "server_connections_percent", "Connections by max_connections, 0..100."),
    ("dbvitals_pool_peak_connections", "peak_connections", "Highest number of connections while watching."),
)
LAST_SUCCESS = "dbvitals_last_success_timestamp_seconds"
UP = "dbvitals_up"


def draw(report: ConnectionReport, last_success: float | None) -> str:
    """Every figure that is known; one that is not is absent, for 0 would say that all is well.

    `last_success` is that of the run before, and stays when the server refused this one.
    """
    if report.server_lost:
        return draw_failure(report.generated_at.timestamp())
    lines = [
        line
        for name, field, text in (*_GUIDE, *_MORE)
        if (value := getattr(report.summary, field)) is not None
        for line in _gauge(name, text, value)
    ]
    up = report.server_full is None
    return _page(lines, up=int(up), last_success=report.generated_at.timestamp() if up else last_success)


def draw_failure(last_success: float | None) -> str:
    """What stands in the place of figures that a failed run could not renew; they would look healthy for ever."""
    return _page([], up=0, last_success=last_success)


def last_success_of(page: str) -> float | None:
    """When the run that wrote this page, or the last good one before it, took its figures."""
    found = re.search(rf"^{LAST_SUCCESS} (\d+(?:\.\d+)?)$", page, re.MULTILINE)
    return float(found[1]) if found else None


def _page(lines: list[str], *, up: int, last_success: float | None) -> str:
    lines = [*lines, *_gauge(UP, "Whether the last run could look at the server.", up)]
    if last_success is not None:
        lines += _gauge(LAST_SUCCESS, "When the figures were last taken, in Unix time.", last_success)
    return "\n".join(lines) + "\n"


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {_number(value)}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no figure")
    return str(int(value)) if float(value).is_integer() else repr(value)
