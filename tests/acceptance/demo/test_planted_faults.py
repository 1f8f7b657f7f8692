"""The planted faults, as `dbvitals indexes` reports them: all of them, and nothing else above `info`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.faults import FAULTS
from demo.servers import Servers

ROOT = Path(__file__).parents[3]
DBVITALS = Path(sys.executable).with_name("dbvitals")

Report = dict[str, Any]


def report_of(servers: Servers, folder: Path, *options: str) -> Report:
    """What the command writes when it is called as a user calls it, from the project's folder."""
    path = folder / "report.json"
    command = [str(DBVITALS), "indexes", "--dsn", servers.dsn, "--output", str(path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report: Report = json.loads(path.read_bytes())
    return report


def findings(report: Report, *, above_info: bool) -> set[tuple[str, str, str]]:
    return {
        (finding["rule"], finding["subject"]["table"], finding["subject"]["name"])
        for finding in report["findings"]
        if not above_info or finding["severity"] != "info"
    }


EXPECTED = {(fault.expected.rule, fault.expected.table, fault.expected.index) for fault in FAULTS}
UNUSED = {(rule, table, index) for rule, table, index in EXPECTED if rule == "IDX005"}


def test_all_planted_faults_are_found_and_nothing_else_above_info(faulty: Servers, tmp_path: Path) -> None:
    report = report_of(faulty, tmp_path)
    assert findings(report, above_info=True) == EXPECTED - UNUSED
    assert findings(report, above_info=False) >= EXPECTED
    assert report["incomplete"] == []


def test_on_a_fresh_server_no_unused_index_is_given_away(faulty: Servers, tmp_path: Path) -> None:
    unused = report_of(faulty, tmp_path)["unused_indexes"]
    assert {row["index"] for row in unused} >= {index for _, _, index in UNUSED}
    assert [row["index"] for row in unused if row["droppable"] or "too_young" not in row["kept_because"]] == []


def test_with_patience_enough_the_unused_index_alone_may_go(faulty: Servers, tmp_path: Path) -> None:
    report = report_of(faulty, tmp_path, "--min-observed", "0")
    assert findings(report, above_info=True) == EXPECTED
    droppable = {row["index"]: row["sql"] for row in report["unused_indexes"] if row["droppable"]}
    assert droppable.keys() == {index for _, _, index in UNUSED}
    assert all("DROP INDEX CONCURRENTLY" in sql for sql in droppable.values())


def test_its_script_runs_as_it_stands_and_mends_them_all(faulty: Servers, tmp_path: Path) -> None:
    """The last test of the faulty database: it is in order afterwards."""
    script = tmp_path / "mend.sql"
    report_of(faulty, tmp_path, "--sql", str(script))
    psql = str(faulty.postgres.binaries.bin_dir / "psql")
    command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script), faulty.dsn]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert findings(report_of(faulty, tmp_path), above_info=True) == set()


def test_without_faults_nothing_is_found_above_info(clean: Servers, tmp_path: Path) -> None:
    report = report_of(clean, tmp_path, "--min-observed", "0", "--fail-on", "medium")
    assert findings(report, above_info=True) == set()
    assert [row["index"] for row in report["unused_indexes"] if row["droppable"]] == []
    assert report["missing_indexes"] == report["drifted_indexes"] == report["duplicate_indexes"] == []
    assert report["incomplete"] == []
