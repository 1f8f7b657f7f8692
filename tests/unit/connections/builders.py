"""Snapshots made by hand, for what no server can be brought to say at will."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.connections import Question, analyse_connections
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.settings import read_dotenv
from dbvitals.snapshot_activity import ActivityServer, ActivitySnapshot, AwaitedLock, Probe, Session

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)


def server(**changes: Any) -> ActivityServer:
    values: dict[str, Any] = {
        "version_num": 150018,
        "version": "15.18",
        "host": "db",
        "port": 5432,
        "database": "hotel",
        "user": "watcher",
        "role": "primary",
        "taken_at": NOW,
        "started_at": NOW - timedelta(days=1),
        "pid": 1,
        "pooled": False,
        "sees_all": True,
        "max_connections": 100,
        "reserved_connections": 3,
        "database_limit": None,
    }
    return ActivityServer(**(values | changes))


def session(pid: int, state: str | None = "idle", **changes: Any) -> Session:
    values: dict[str, Any] = {
        "pid": pid,
        "backend_type": None if state is None else "client backend",
        "mine": True,
        "database": "hotel",
        "user": "hotel",
        "application_name": "hotel",
        "client_address": "10.0.0.1",
        "client_port": 40_000 + pid,
        "state": state,
        "backend_start": NOW - timedelta(hours=1),
        "state_change": NOW - timedelta(seconds=5),
        "state_seconds": 5.0,
        "transaction_seconds": None,
        "query_seconds": None,
        "wait_event_type": None,
        "wait_event": None,
    }
    return Session(**(values | changes))


def snapshot(*sessions: Session, **changes: Any) -> ActivitySnapshot:
    awaited = tuple(
        AwaitedLock(pid=s.pid, target="row of public.locks", mode="ShareLock", waited_seconds=float(s.pid))
        for s in sessions
        if s.blocked_by
    )
    values: dict[str, Any] = {"server": server(), "sessions": sessions, "awaited": awaited}
    return ActivitySnapshot(**(values | changes))


def question(**changes: Any) -> Question:
    values: dict[str, Any] = {
        "pool": PoolConfig(size=10, max_overflow=20),
        "thresholds": ConnectionThresholds(),
        "tool_version": "0",
        "duration_seconds": 0.5,
    }
    return Question(**(values | changes))


def report(*sessions: Session, **changes: Any) -> ConnectionReport:
    return analyse_connections(snapshot(*sessions), question(**changes))


def probe(seconds: float, total: int, **changes: Any) -> Probe:
    values: dict[str, Any] = {
        "seconds": seconds,
        "taken_at": NOW + timedelta(seconds=seconds),
        "server_sessions": total,
        "total": total,
        "active": 0,
        "idle": total,
        "idle_in_transaction": 0,
        "long_running": 0,
        "blocked": 0,
    }
    return Probe(**(values | changes))


def dotenv_of(action: str, folder: Path) -> dict[str, str]:
    """What the project reads when the advised lines are pasted: each step's, from its first variable to ` in .env`."""
    steps = (re.search(r"[A-Z_]+=.*?(?= in \.env|\.? \d\. |$)", step) for step in re.split(r"(?=\b\d\. )", action))
    path = folder / ".env"
    path.write_text("\n".join(step[0] for step in steps if step), encoding="utf-8")
    return read_dotenv(path)
