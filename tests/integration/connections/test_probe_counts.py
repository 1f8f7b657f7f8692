"""The cheap look counts what a plain count over pg_stat_activity does, whatever the scope is called."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from dbvitals.collect.activity import PoolScope, ProbeLimits, open_activity
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from tests.integration.connections.crowd import EVERYBODY, Connection, Crowd, target, until

HOSTILE = """it's "100%s" {own}, \\ <b>--"""

TRUTH = """
    select count(*) filter (where mine) as total,
        count(*) filter (where mine and state in ('active', 'fastpath function call')) as active,
        count(*) filter (where mine and state = 'idle') as idle,
        count(*) filter (where mine and state like 'idle in transaction%%') as idle_in_transaction,
        count(*) filter (
            where mine and state = 'active' and clock_timestamp() - query_start > %(long)s
        ) as long_running,
        count(*) filter (where mine and wait_event_type = 'Lock') as blocked,
        coalesce(array_agg(pid order by pid) filter (where wait_event_type = 'Lock'), '{}') as lock_waiters,
        coalesce(array_agg(pid order by pid) filter (
            where mine and state like 'idle in transaction%%' and clock_timestamp() - state_change > %(leak)s
        ), '{}') as leaking
    from (
        select *, datname = current_database()
            and usename = coalesce(%(role)s, usename)
            and application_name = any (coalesce(%(applications)s::text[], array[application_name]))
            and not application_name = any (%(excluded)s::text[]) as mine
        from pg_stat_activity
        where backend_type = 'client backend'
    ) as sessions
"""


@dataclass
class Mix:
    dsn: str
    admin: Connection
    role: str


@pytest.fixture
def mix(database: str, postgres: PostgresServer, crowd: Crowd) -> Iterator[Mix]:
    """Every state, two roles, four applications, another database, another run of the tool, a wait for a lock."""
    admin = crowd.open(database, "admin")
    role = f"{HOSTILE[:24]} {database.rpartition('test_')[2][:20]}"
    admin.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    as_role = make_conninfo(database, user=role)
    for dsn, name in (
        (database, "hotel"),
        (database, HOSTILE),
        (database, HOSTILE),
        (database, ""),
        (as_role, "hotel"),
    ):
        crowd.open(dsn, name)
    crowd.open(postgres.dsn())
    crowd.open(database, "dbvitals")
    crowd.open(database).execute("set track_activities = off")
    for dsn, name in ((database, "hotel"), (database, HOSTILE), (as_role, HOSTILE)):
        waiting = crowd.open(dsn, name)
        waiting.execute("begin")
        waiting.execute("select pg_advisory_xact_lock_shared(7)")
    aborted = crowd.open(database)
    aborted.execute("begin")
    with pytest.raises(psycopg.errors.DivisionByZero):
        aborted.execute("select 1/0")
    sleepers = [crowd.start(crowd.open(database, name), "select pg_sleep(300)") for name in ("hotel", HOSTILE)]
    sleepers.append(crowd.stuck(crowd.open(as_role, HOSTILE), "select pg_advisory_lock(7)", admin))
    until(lambda: busy(admin, sleepers), "three active sessions")
    yield Mix(database, admin, role)
    crowd.close()
    admin_again = psycopg.connect(database, autocommit=True)
    admin_again.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    admin_again.close()


def busy(admin: Connection, pids: list[int]) -> bool:
    found = admin.execute("select count(*) from pg_stat_activity where state = 'active' and pid = any(%s)", [pids])
    return found.fetchone() == (len(pids),)


SCOPES = {
    "everybody": EVERYBODY,
    "hostile application": PoolScope(applications=(HOSTILE,)),
    "several applications": PoolScope(applications=("hotel", HOSTILE, "")),
    "no application": PoolScope(applications=()),
    "excluded": PoolScope(excluded=(HOSTILE, "nobody's")),
    "the tool's own name": PoolScope(applications=("dbvitals",)),
    "nobody's role": PoolScope(role="nobody's"),
}
LIMITS = {"all late": ProbeLimits(long_query=0.0, leak=0.0), "none late": ProbeLimits(long_query=9e5, leak=9e5)}


def truth(mix: Mix, scope: PoolScope, limits: ProbeLimits) -> dict[str, object]:
    values = {
        "role": scope.role,
        "applications": None if scope.applications is None else list(scope.applications),
        "excluded": ["dbvitals", *scope.excluded],
        "long": f"{limits.long_query} s",
        "leak": f"{limits.leak} s",
    }
    with mix.admin.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(TRUTH, values).fetchone()
    assert row is not None
    return {**row, "lock_waiters": tuple(row["lock_waiters"]), "leaking": tuple(row["leaking"])}


def counted(mix: Mix, scope: PoolScope, limits: ProbeLimits) -> tuple[dict[str, object], dict[str, object]]:
    # The admin, who asks for the truth, is active only while doing so.
    scope = replace(scope, excluded=(*scope.excluded, "admin"))
    right = truth(mix, scope, limits)
    with open_activity(target(mix.dsn), Timeouts(), scope) as reader:
        probe = reader.probe(limits, 0.0)
    return {name: getattr(probe, name) for name in right}, right


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_the_cheap_look_counts_as_a_plain_count_does(mix: Mix, limits: ProbeLimits) -> None:
    scopes = SCOPES | {
        "hostile role": PoolScope(role=mix.role),
        "all of it": PoolScope(role=mix.role, applications=(HOSTILE, "hotel"), excluded=("hotel",)),
    }
    found = {name: counted(mix, scope, limits) for name, scope in scopes.items()}
    assert {name: ours for name, (ours, _) in found.items()} == {name: right for name, (_, right) in found.items()}
    everybody, _ = found["everybody"]
    # 5 idle, 1 untracked, 3 + 1 in a transaction, 3 active; neither the tool's nor the other database's.
    assert everybody["total"] == 13
    assert (everybody["active"], everybody["idle"], everybody["idle_in_transaction"]) == (3, 5, 4)
    assert everybody["blocked"] == 1
    assert found["all of it"][0]["total"] == 2


def test_a_look_with_other_limits_over_the_same_connection_heeds_them(mix: Mix) -> None:
    with open_activity(target(mix.dsn), Timeouts(), PoolScope(excluded=("admin",))) as reader:
        late = [reader.probe(LIMITS[name], 0.0) for name in ("all late", "none late", "all late")]
    assert [probe.long_running for probe in late] == [3, 0, 3]
    assert [len(probe.leaking) for probe in late] == [4, 0, 4]
