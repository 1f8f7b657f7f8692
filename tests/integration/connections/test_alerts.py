"""Alerts on the exported figures, as a user writes them: each fires when it should, and else is silent, by promtool.

No alert rule is shipped; what is shipped is that the figures can be alerted on.
"""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.observe.metrics import PoolMetrics
from dbvitals.observe.pool import observe_pool
from dbvitals.render.prometheus import LAST_SUCCESS, draw, draw_failure, last_success_of
from tests.integration.connections.crowd import Crowd, report

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine (Debian: prometheus)")

POOL = PoolConfig(size=8, max_overflow=2)
SOON = ConnectionThresholds(long_query_seconds=0.2)
RULES = {
    "PoolNearlyFull": "db_pool_utilization_percent > 90",
    "TransactionsLeftOpen": "db_pool_idle_in_transaction > 3",
    "LongQueries": "db_pool_long_running_queries > 0",
    "LockWaits": "dbvitals_blocked_connections > 0",
    "NoLook": "dbvitals_up == 0",
    "OldFigures": f"time() - {LAST_SUCCESS} > 180",
    "WaitsInVain": "increase(db_client_connection_timeouts_total[5m]) > 0",
}
# The trap: a gauge has no rate, so this can never fire.
NEVER = {"LongQueriesByRate": "rate(db_pool_long_running_queries[2m]) > 30"}
MINUTES = 20

Series = dict[str, list[float]]


def firing(folder: Path, series: Series) -> set[str]:
    """Which of the rules fire at the end of the series, which have a value a minute."""
    rules = RULES | NEVER
    (folder / "rules.yml").write_text(
        json.dumps(
            {
                "groups": [
                    {"name": "pool", "rules": [{"alert": name, "expr": rules[name], "for": "1m"} for name in rules]}
                ]
            }
        )
    )
    return {name for name in rules if not is_silent(folder, series, name)}


def is_silent(folder: Path, series: Series, name: str) -> bool:
    case = {
        "interval": "1m",
        "input_series": [
            {"series": metric, "values": " ".join(map(repr, values))} for metric, values in sorted(series.items())
        ],
        "alert_rule_test": [{"eval_time": f"{MINUTES - 1}m", "alertname": name, "exp_alerts": []}],
    }
    (folder / "case.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]})
    )
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "test", "rules", "case.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "SUCCESS" in done.stdout or f"alertname: {name}" in done.stdout + done.stderr, done.stderr
    return done.returncode == 0


def scraped(page: str, *, renewed: bool) -> Series:
    """A page as it is scraped once a minute; `renewed` by a run in between, each of which finds the same."""
    values = {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", page, flags=re.MULTILINE)}
    series = {name: [value] * MINUTES for name, value in values.items()}
    # promtool's time begins at 0.
    series[LAST_SUCCESS] = [60.0 * minute if renewed else 0.0 for minute in range(MINUTES)]
    return series


def test_trap_22_a_healthy_pool_alerts_nobody(database: str, crowd: Crowd, tmp_path: Path) -> None:
    for _ in range(6):
        crowd.open(database)
    for _ in range(3):
        crowd.open(database).execute("begin")
    page = draw(report(database, pool=POOL, thresholds=SOON), None)
    assert set(re.findall(r"^# TYPE \w+ (\w+)$", page, flags=re.MULTILINE)) == {"gauge"}
    assert firing(tmp_path, scraped(page, renewed=True)) == set()


def test_trap_22_a_full_pool_that_is_stuck_fires_each_alert(database: str, crowd: Crowd, tmp_path: Path) -> None:
    root, admin = crowd.open(database, "root"), crowd.open(database, "admin")
    root.execute("select pg_advisory_lock(7)")
    crowd.stuck(crowd.open(database), "select pg_advisory_lock(7)", admin)
    for _ in range(4):
        crowd.open(database).execute("begin")
    for _ in range(3):
        crowd.open(database)
    time.sleep(0.3)
    page = draw(report(database, pool=POOL, thresholds=SOON), None)
    found = firing(tmp_path, scraped(page, renewed=True))
    assert found == {"PoolNearlyFull", "TransactionsLeftOpen", "LongQueries", "LockWaits"}


def test_trap_22_a_monitor_that_fails_or_stands_still_is_an_alert_itself(database: str, tmp_path: Path) -> None:
    page = draw(report(database, pool=POOL), None)
    failed = draw_failure(last_success_of(page))
    assert firing(tmp_path, scraped(failed, renewed=False)) == {"NoLook", "OldFigures"}
    assert firing(tmp_path, scraped(page, renewed=False)) == {"OldFigures"}


def test_traps_22_23_waits_in_vain_fire_and_a_restart_of_the_service_does_not(database: str, tmp_path: Path) -> None:
    """The counter is there before the first time-out: one that appears with a 1 has no increase."""
    name = 'db_client_connection_timeouts_total{db_client_connection_pool_name="main"}'
    before, after = timeouts(database)
    (begun_anew, _) = timeouts(database)
    half = MINUTES - 3
    assert firing(tmp_path, {name: [before] * half + [after] * 3}) == {"WaitsInVain"}
    assert firing(tmp_path, {name: [after] * half + [begun_anew] * 3}) == set()


def timeouts(dsn: str) -> tuple[float, float]:
    """The counter of a service that has just begun, and the same when one guest has waited in vain."""
    registry = CollectorRegistry()
    metrics = PoolMetrics(registry)
    url = dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    observe_pool(engine, application="test", name="main", listener=metrics.listener("main"))
    with engine.connect():
        before = value(registry)
        with pytest.raises(PoolTimeout):
            engine.connect()
    engine.dispose()
    return before, value(registry)


def value(registry: CollectorRegistry) -> float:
    labels = {"db_client_connection_pool_name": "main"}
    found = registry.get_sample_value("db_client_connection_timeouts_total", labels)
    assert found is not None
    return found
