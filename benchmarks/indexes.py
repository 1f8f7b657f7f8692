"""`dbvitals indexes` on large catalogues: its wall time against that of its own queries, memory, statements sent.

The database has five indexes a table: a key, a composite one, an expression one with a predicate, one with INCLUDE,
and a fifth. Nine tables of ten are in order: every index of theirs has been scanned. Of the tenth, none has, and its
fifth index is a prefix of the composite one. Start-up of Python is measured by the same command on no schema at all,
and taken off.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.report import show
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres

SIZES = {"small": 2_000, "large": 10_000}
RUNS = 5

TABLES = """
DO $$
BEGIN
    FOR i IN {first}..{last} LOOP
        EXECUTE format('CREATE TABLE t%1$s (id bigint PRIMARY KEY, tenant_id uuid, a int, b text, c timestamptz)', i);
        EXECUTE format('CREATE INDEX t%1$s_tenant_a ON t%1$s (tenant_id, a)', i);
        EXECUTE format('CREATE INDEX t%1$s_lower ON t%1$s (lower(b)) WHERE a > 0', i);
        EXECUTE format('CREATE INDEX t%1$s_c ON t%1$s (c DESC) INCLUDE (a)', i);
        IF i % 10 = 0 THEN
            EXECUTE format('CREATE INDEX t%1$s_tenant ON t%1$s (tenant_id)', i);
            CONTINUE;
        END IF;
        EXECUTE format('CREATE INDEX t%1$s_b ON t%1$s (b)', i);
        EXECUTE format('SELECT FROM t%1$s WHERE id = 1', i);
        EXECUTE format('SELECT FROM t%1$s WHERE tenant_id IS NULL AND a = 1', i);
        EXECUTE format($q$SELECT FROM t%1$s WHERE lower(b) = 'x' AND a > 0$q$, i);
        EXECUTE format('SELECT FROM t%1$s WHERE c > now()', i);
        EXECUTE format($q$SELECT FROM t%1$s WHERE b = 'x'$q$, i);
    END LOOP;
END
$$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One run of the command: seconds of wall and of its queries, peak memory in MiB, statements sent."""

    wall: float
    queries: float
    memory: float
    statements: int


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    rows = []
    for binaries in find_all_postgres():
        with start_postgres(binaries, settings={"max_locks_per_transaction": "1024"}) as server:
            previous = 0
            for size in ("small", "large") if full else ("small",):
                _make_tables(server, previous + 1, SIZES[size])
                previous = SIZES[size]
                rows.append(_measure(server, SIZES[size]))
    show("indexes", "dbvitals indexes: the whole command against its own queries (median of 5 runs)", rows)


def _make_tables(server: PostgresServer, first: int, last: int) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        for start in range(first, last + 1, 500):
            block = TABLES.format(first=start, last=min(start + 499, last))
            connection.execute(block.encode())
        connection.execute("VACUUM ANALYZE pg_catalog.pg_class, pg_catalog.pg_index, pg_catalog.pg_attribute")


def _measure(server: PostgresServer, tables: int) -> dict[str, object]:
    costs = sorted((_command(server.dsn()) for _ in range(RUNS)), key=lambda cost: cost.wall)
    idle = sorted(_command(server.dsn(), "--schema", "nothing").wall for _ in range(RUNS))[RUNS // 2]
    middle = costs[RUNS // 2]
    return {
        "PostgreSQL": server.major,
        "tables": tables,
        "indexes": tables * 5,
        "wall s": middle.wall,
        "start-up s": idle,
        "queries s": middle.queries,
        "ratio": (middle.wall - idle) / middle.queries,
        "peak MiB": middle.memory,
        "statements": middle.statements,
    }


def _command(dsn: str, *options: str) -> Cost:
    with TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        program = [sys.executable, "-m", "dbvitals", "indexes", "--dsn", dsn, "--output", str(output), *options]
        started = time.perf_counter()
        # In a folder of its own: no project's declarations are compared.
        process = subprocess.Popen(program, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        assert process.returncode == 0, f"the command failed: {process.returncode}"
        cost = json.loads(output.read_text())["cost"]
        return Cost(
            wall=wall, queries=cost["query_seconds"], memory=usage.ru_maxrss / 1024, statements=cost["statements"]
        )
