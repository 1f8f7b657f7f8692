"""What to do about a pool, as the guide lays it out: symptom, impact, root cause where known, solution."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import structs

from dbvitals.analyse.connection_picture import (
    MORE_PROCESSES,
    Picture,
    idle_in_transaction_words,
    is_warm,
    warm_or_exhausted,
)
from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.model import Finding, Recommendation

GROWTH = 2
"""The guide doubles: 10 to 20, 20 to 40."""

POOL_SIZE, MAX_OVERFLOW = "POSTGRES_POOL_SIZE", "POSTGRES_MAX_OVERFLOW"
WARM_IMPACT = "none as long as nobody waits for a connection"
LEAKS_FIRST = ("fix connection leaks first (idle_in_transaction)",)
DEPLOY = "deploy with make docker-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One category of the guide's. `symptom` may name `{count}` findings."""

    category: str
    symptom: str
    impact: str
    root_cause: str = ""
    solution: tuple[str, ...] = ()


ADVICE = {
    "CON001": Advice(
        category="pool_utilization",
        symptom="pool_utilization_percent is above its threshold",
        impact="new connections will time out, causing 500 errors",
    ),
    "CON002": Advice(
        category="idle_in_transaction",
        symptom="{idle}",
        impact="connections holding locks, blocking other queries",
        root_cause="transactions not committed or rolled back properly",
        solution=(
            "review code for missing await session.commit() or await session.rollback()",
            "add exception handling with rollback in service methods",
            "use context managers for automatic cleanup",
        ),
    ),
    "CON003": Advice(
        category="long_running_queries",
        symptom="queries that run for too long: {count}",
        impact="connection pool exhaustion, slow API responses",
        solution=(
            "see what each does in long_running_queries: one that waits for its client or a lock is not slow itself",
            "run EXPLAIN ANALYZE for the others and add the missing indexes (dbvitals indexes)",
            "set statement_timeout for the application's role",
        ),
    ),
    "CON004": Advice(
        category="blocking",
        symptom="sessions that hold others up: {count}",
        impact="whoever waits keeps its own connection, until the pool is empty",
        solution=(
            "end the root's transaction where the code leaves it open; the statement of its finding does it by hand",
            "set lock_timeout for the application's role",
        ),
    ),
    "CON005": Advice(
        category="server_full",
        symptom="the server has no connections left, or nearly none",
        impact="deployments, migrations and people cannot connect any more",
        solution=(
            "end what is idle in transaction",
            "make the pools smaller, or put PgBouncer before the server",
            "raise max_connections (needs a restart and memory)",
        ),
    ),
    "CON006": Advice(
        category="fleet",
        symptom="all processes together may ask for more connections than there are",
        impact="under load the last ones to start get none",
        solution=("make the pools smaller, run fewer processes, or put PgBouncer before the server",),
    ),
    "CON007": Advice(
        category="transactions_left_open",
        symptom="transactions that are open and silent: {count}",
        impact="their connections are lost to the pool, their locks and old rows to everybody",
        root_cause="a missing commit, or waiting for something else (an API, a guest) inside a transaction",
        solution=(
            "mend the line where the connection was checked out; --app URL names it",
            "set idle_in_transaction_session_timeout for the application's role",
        ),
    ),
    "CON008": Advice(
        category="long_transactions",
        symptom="transactions that have been open for long: {count}",
        impact="VACUUM cannot remove what they may still see",
        solution=("commit in batches", "set transaction_timeout (PostgreSQL 17) for the application's role"),
    ),
    "CON009": Advice(
        category="horizon",
        symptom="somebody keeps old rows from VACUUM",
        impact="tables and indexes grow, queries slow down",
        solution=("end the transaction, drop the slot, or see to the standby that horizon names",),
    ),
    "CON010": Advice(
        category="orphans",
        symptom="sessions whose clients are gone: {count}",
        impact="load and locks for nobody",
        solution=("set client_connection_check_interval = '10s' on the server",),
    ),
    "CON011": Advice(
        category="prepared_transactions",
        symptom="prepared transactions that are left over: {count}",
        impact="their locks and old rows stay, restarts included",
        solution=("ask their coordinator; then COMMIT PREPARED or ROLLBACK PREPARED",),
    ),
    "CON012": Advice(
        category="pgbouncer",
        symptom="clients wait at PgBouncer",
        impact="requests are slow although the server looks quiet",
        solution=(
            "see who holds its server connections (via in connections)",
            "raise default_pool_size if the server can",
        ),
    ),
    "CON013": Advice(
        category="unlimited_pool",
        symptom="the pool has no limit",
        impact="one busy process takes the connections of all",
        solution=("give it one: POSTGRES_POOL_SIZE and POSTGRES_MAX_OVERFLOW in .env, then make docker-up",),
    ),
    "CON014": Advice(
        category="connections_held",
        symptom="connections that are out of their pool and do nothing: {count}",
        impact="the pool is smaller by as many",
        root_cause="a stream or a call to elsewhere while the connection is out",
        solution=("give the connection back first; each finding names the line",),
    ),
}


def recommend(picture: Picture, findings: Sequence[Finding]) -> tuple[Recommendation, ...]:
    """One recommendation a rule that has findings, with the severity of its worst one."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    found = [_recommendation(picture, ADVICE[rule], rule, group) for rule, group in by_rule.items()]
    return tuple(sorted(found, key=lambda r: (r.severity.rank, r.category)))


def _recommendation(picture: Picture, advice: Advice, rule: str, group: Sequence[Finding]) -> Recommendation:
    count = f"{max(len(picture.long_running), picture.peak_long_running or 0):g}" if rule == "CON003" else len(group)
    idle = idle_in_transaction_words(picture) if rule == "CON002" else ""
    symptom = advice.symptom.format(count=count, idle=idle)
    cause = f". Root cause: {advice.root_cause}" if advice.root_cause else ""
    solution = _SOLUTIONS[rule](picture) if rule in _SOLUTIONS else advice.solution
    impact = advice.impact
    if rule == "CON001":
        symptom = f"{symptom}: {warm_or_exhausted(picture)}"
        impact = WARM_IMPACT if is_warm(picture) else impact
    return Recommendation(
        severity=min((finding.severity for finding in group), key=lambda severity: severity.rank),
        category=advice.category,
        message=f"{symptom[0].upper()}{symptom[1:]}. Impact: {impact}{cause}",
        action=numbered(solution),
    )


def numbered(steps: Sequence[str]) -> str:
    """Steps as sentences of one line."""
    return " ".join(f"{number}. {step[0].upper()}{step[1:]}." for number, step in enumerate(steps, 1))


def env_step(words: str, name: str, value: int | None) -> str:
    """A step that sets a variable in .env. Two on one line would be one broken value, so each has its own step."""
    return f"{words} with the line {name}={value} in .env"


def _pool_solution(picture: Picture) -> tuple[str, ...]:
    """The guide's, when it helps: not for a pool that is only warm, nor beyond what the server gives."""
    if picture.has_more_processes:
        return (MORE_PROCESSES,)
    if is_warm(picture):
        nothing = "nothing, as long as nobody waits: idle connections are what a pool is for"
        is_known = picture.summary.waiting_connections is not None
        return (nothing,) if is_known else ("ask the application whether anybody waits (--app URL)", nothing)
    leaks = LEAKS_FIRST if picture.idle_in_transaction else ()
    size, overflow = picture.pool.size * GROWTH, picture.pool.max_overflow * GROWTH
    demand = (size + overflow) * picture.pool.processes
    if picture.fleet and demand > picture.fleet.supply:
        supply = f"the {picture.fleet.supply} of {picture.fleet.limited_by}"
        return (
            *leaks,
            f"do not grow the pool: {demand} connections would be more than {supply}",
            "hold connections for a shorter time, or put PgBouncer before the server",
        )
    more, beyond = f"({picture.pool.size} to {size})", f"({picture.pool.max_overflow} to {overflow})"
    return (
        *leaks,
        env_step(f"increase postgres_pool_size {more}", POOL_SIZE, size),
        env_step(f"increase postgres_max_overflow {beyond}", MAX_OVERFLOW, overflow),
        DEPLOY,
    )


def refer_to_measured(advice: Recommendation, report: ConnectionReport) -> Recommendation:
    """For a report with measured sizes: what would double the pool refers to these instead. Others stay."""
    if advice.category != ADVICE["CON001"].category or POOL_SIZE not in advice.action:
        return advice
    leaks = LEAKS_FIRST if report.idle_in_transaction else ()
    measured = "take the size that was measured for each pool (sizing) instead of doubling it"
    return structs.replace(advice, action=numbered((*leaks, measured)))


_SOLUTIONS: dict[str, Callable[[Picture], tuple[str, ...]]] = {"CON001": _pool_solution}
