"""What happens to a server, a database or the tool itself while it reads."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.sandbox import PostgresServer, start_postgres
from dbvitals.settings import Timeouts
from tests.acceptance.bad_days.blocked import FIRST_PART, LAST_PART, held_up, incomplete_of
from tests.acceptance.bad_days.conftest import Refused, files_in
from tests.acceptance.cli.conftest import Run
from tests.conftest import MakeDatabase

Connect = Callable[[str], psycopg.Connection[Any]]

REPORT = ".playbook/index_analysis.json"


@pytest.fixture
def hotel(pg18: PostgresServer, make_database: MakeDatabase, connect: Connect) -> str:
    """A database with an index that is there twice, and the extension that the last part reads."""
    dsn = make_database(pg18)
    connect(dsn).execute(
        """
        CREATE EXTENSION pg_stat_statements;
        CREATE TABLE guests (id bigint PRIMARY KEY, tenant_id int);
        CREATE INDEX idx_guests_tenant_id ON guests (tenant_id);
        CREATE INDEX idx_guests_tenant_id_again ON guests (tenant_id);
        """
    )
    return dsn


def place(dsn: str) -> str:
    known = psycopg.conninfo.conninfo_to_dict(dsn)
    return f"{known['host']}:{known['port']}/{known['dbname']}"


CUT_OFF = {
    "terminating connection due to administrator command",
    "consuming input failed: server closed the connection unexpectedly",
}
"""What the driver says of a session that was ended: by chance it reads the server's last words, or only the end."""


@pytest.mark.parametrize("part", [FIRST_PART, LAST_PART])
def test_a_database_that_is_dropped(
    pg18: PostgresServer, hotel: str, connect: Connect, tmp_path: Path, part: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(hotel)["dbname"]
    with held_up(hotel, part, tmp_path) as waiting:
        connect(pg18.dsn()).execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        code, out, error = waiting.end()
    assert (code, out) == (3, "")
    lost = f"dbvitals: the connection to {place(hotel)} was lost in mid-run: "
    assert error in {f"{lost}{why}: run again when the server is back\n" for why in CUT_OFF}
    assert files_in(tmp_path) == {}


def test_a_server_that_is_killed_and_an_older_report(hotel: str, tmp_path: Path) -> None:
    (tmp_path / ".playbook").mkdir()
    (tmp_path / REPORT).write_text("older")
    with start_postgres() as server, held_up(server.dsn(), FIRST_PART, tmp_path) as waiting:
        os.kill(server.pid, signal.SIGQUIT)  # as in a crash: nobody is told to finish first
        code, out, error = waiting.end()
    assert (code, out) == (3, "")
    assert error.startswith(f"dbvitals: the connection to {server.host}:{server.port}/postgres was lost in mid-run: ")
    assert len(error.splitlines()) == 1
    assert files_in(tmp_path) == {REPORT: b"older"}


def test_a_server_that_shuts_down_lets_nobody_in(refused: Refused) -> None:
    with start_postgres() as server, psycopg.connect(server.dsn()) as last:
        os.kill(server.pid, signal.SIGTERM)  # "smart": it waits for the last client
        line = refused(3, "--dsn", server.dsn())
        last.close()
    assert line.endswith(
        ": the database system is shutting down: it starts, recovers or shuts down: run again in a moment"
    )


def test_a_time_out_of_what_the_report_needs(hotel: str, tmp_path: Path) -> None:
    with held_up(hotel, FIRST_PART, tmp_path, "--statement-timeout", "1s") as waiting:
        assert waiting.end() == (
            3,
            "",
            f"dbvitals: a catalogue query on {place(hotel)} took longer than 1 s: raise --statement-timeout\n",
        )
    assert files_in(tmp_path) == {}


def test_a_catalogue_that_somebody_has_locked(hotel: str, tmp_path: Path) -> None:
    with held_up(hotel, FIRST_PART, tmp_path, "--lock-timeout", "1s") as waiting:
        code, out, error = waiting.end()
    assert (code, out) == (3, "")
    assert error == (
        f"dbvitals: the catalogue on {place(hotel)} is locked, as by VACUUM FULL or REINDEX SYSTEM: "
        "canceling statement due to lock timeout: run again when that is done, or raise --lock-timeout\n"
    )


@pytest.mark.parametrize(
    ("limit", "why", "mend"),
    [
        ("--statement-timeout", "canceling statement due to statement timeout", "raise --statement-timeout"),
        (
            "--lock-timeout",
            "canceling statement due to lock timeout",
            "run again when the lock is gone, or raise --lock-timeout",
        ),
    ],
)
@pytest.mark.parametrize(("strict", "expected"), [((), 0), (("--strict",), 4)])
def test_a_time_out_of_one_part_leaves_the_others(
    hotel: str, tmp_path: Path, limit: str, why: str, mend: str, strict: tuple[str, ...], expected: int
) -> None:
    with held_up(hotel, LAST_PART, tmp_path, limit, "1s", *strict) as waiting:
        code, out, error = waiting.end()
    assert (code, error) == (expected, "")
    assert "idx_guests_tenant_id_again" in out
    assert why in " ".join(out.split())
    part = incomplete_of(tmp_path / REPORT)["missing indexes by workload"]
    assert (part["why"], part["mend"]) == (why, mend)


def test_ctrl_c_writes_what_has_been_seen_and_says_so(hotel: str, tmp_path: Path) -> None:
    with held_up(hotel, LAST_PART, tmp_path, "--save", "seen.json") as waiting:
        waiting.process.send_signal(signal.SIGINT)
        code, out, error = waiting.end()
    assert (code, error) == (130, "")
    assert "idx_guests_tenant_id_again" in out
    assert "This report is incomplete" in out
    assert "interrupted" in incomplete_of(tmp_path / REPORT)
    assert files_in(tmp_path).keys() == {REPORT, "seen.json"}


def test_ctrl_c_before_anything_has_been_seen_writes_nothing(hotel: str, tmp_path: Path) -> None:
    with held_up(hotel, FIRST_PART, tmp_path) as waiting:
        waiting.process.send_signal(signal.SIGINT)
        code, out, error = waiting.end()
    assert (code, out, error.strip()) == (130, "", "dbvitals: interrupted; nothing was written")
    assert files_in(tmp_path) == {}


def test_a_table_locked_by_alter_table_is_not_waited_for(
    hotel: str, run: Run, connect: Connect, tmp_path: Path
) -> None:
    connection = connect(hotel)
    connection.execute("BEGIN; ALTER TABLE guests ADD COLUMN phone text")
    for strict, expected in ((), 0), (("--strict",), 4):
        done = run("indexes", "--dsn", hotel, *strict)
        assert (done.returncode, done.stderr) == (expected, "")
        assert "locked tables: public.guests: locked by ALTER TABLE or its kin" in " ".join(done.stdout.split())
        assert incomplete_of(tmp_path / REPORT).keys() == {"locked tables"}


PARTS = (
    "namespaces", "tables", "indexes", "locked", "index_texts", "sizes", "columns", "foreign_keys",
    "column_statistics", "opclasses", "collations", "last_scans-16", "builds",
)  # fmt: skip


def test_a_table_that_is_dropped_before_any_part_is_read_does_no_harm(database: str, connect: Connect) -> None:
    other = connect(database)
    other.execute("CREATE TABLE stays (id int PRIMARY KEY)")
    unreached = set(PARTS)
    for part in PARTS:
        other.execute("CREATE TABLE goes (id int PRIMARY KEY, r int REFERENCES stays CHECK (r > 0), t text)")
        other.execute("CREATE INDEX goes_i ON goes (lower(t), r DESC) WHERE r > 1")

        def drop(name: str, awaited: str = part) -> None:
            if name == awaited in unreached:
                unreached.remove(name)
                other.execute("DROP TABLE goes")

        with psycopg.connect(database) as connection:
            seen = collect_catalog(connection, Scope(), Timeouts(lock=0.2), drop)
        assert "stays_pkey" in {index.name for index in seen.indexes}, part
        other.execute("DROP TABLE IF EXISTS goes")
    assert unreached <= {"last_scans-16"}
