"""Calls that work: what is written where, and the exit codes of what was found."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema
import psycopg
import pytest

from dbvitals import schemas
from dbvitals.sandbox import PostgresServer
from tests.acceptance.cli.conftest import Run, bare_environment
from tests.acceptance.cli.lines import the_line

HERE = ".playbook/index_analysis.json"


def report_of(path: Path) -> dict[str, object]:
    document = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(schemas.schema("index_analysis")).validate(document)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="session")
def seen(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A snapshot of the hotel, to be replayed without a server."""
    folder = tmp_path_factory.mktemp("seen")
    command = [sys.executable, "-m", "dbvitals", "indexes", "--dsn", server.dsn(), "--save", "seen.json", "--quiet"]
    subprocess.run(command, cwd=folder, env=bare_environment(), check=True, capture_output=True)
    return str(folder / "seen.json")


def test_the_report_is_written_and_the_overview_shown(run: Run, here: dict[str, str], tmp_path: Path) -> None:
    done = run("indexes", env=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Indexes of postgres\n")
    assert "idx_guests_tenant_id_again" in done.stdout
    assert "\x1b" not in done.stdout
    summary = report_of(tmp_path / HERE)["summary"]
    assert isinstance(summary, dict)
    assert summary["duplicate_indexes"] == 1


def test_everything_can_come_from_dotenv(run: Run, here: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in here.items()))
    assert run("indexes").returncode == 0


def test_a_service_file_and_a_pass_file_work_as_in_psql(run: Run, here: dict[str, str], tmp_path: Path) -> None:
    place = f"host={here['POSTGRES_HOST']}\nport={here['POSTGRES_PORT']}\nuser=postgres\ndbname=postgres\n"
    (tmp_path / "services").write_text(f"[hotel]\n{place}")
    pass_file = tmp_path / "passes"
    pass_file.write_text(f"*:*:*:postgres:{here['POSTGRES_PASSWORD']}\n")
    pass_file.chmod(0o600)
    variables = {"PGSERVICEFILE": str(tmp_path / "services"), "PGSERVICE": "hotel", "PGPASSFILE": str(pass_file)}
    done = run("indexes", env=variables)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_password_on_the_command_line_works_draws_one_line_and_is_shown_nowhere(
    run: Run, here: dict[str, str], tmp_path: Path
) -> None:
    password = here.pop("POSTGRES_PASSWORD")
    done = run("indexes", "--password", password, "--save", "seen.json", "--sql", "mend.sql", env=here)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "can see a password given on the command line" in done.stderr
    texts = [done.stdout, done.stderr, *(path.read_text() for path in tmp_path.rglob("*") if path.is_file())]
    assert len(texts) >= 5
    assert not [text for text in texts if password in text]


def test_output_to_standard_output_is_json_and_nothing_else(run: Run, seen: str, tmp_path: Path) -> None:
    done = run("indexes", "--from", seen, "--output", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["tool"]["name"] == "dbvitals"
    assert not (tmp_path / ".playbook").exists()


def test_two_replays_differ_only_in_how_long_they_took(run: Run, seen: str) -> None:
    first, second = (json.loads(run("indexes", "--from", seen, "--output", "-").stdout) for _ in range(2))
    assert first | {"duration_seconds": 0} == second | {"duration_seconds": 0}


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("json", "{\n"), ("markdown", "# Indexes of"), ("html", "<!doctype html>"), ("table", "Ind")],
)
def test_every_format_is_shown_and_the_file_is_json_all_the_same(
    run: Run, seen: str, tmp_path: Path, form: str, beginning: str
) -> None:
    done = run("indexes", "--from", seen, "--format", form, "--output", "report.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith(beginning)
    assert form != "html" or "<script" not in done.stdout
    report_of(tmp_path / "report.json")


def test_quiet_shows_nothing(run: Run, seen: str, tmp_path: Path) -> None:
    done = run("indexes", "--from", seen, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / HERE).exists()


@pytest.mark.parametrize(("level", "code"), [("none", 0), ("critical", 0), ("medium", 1), ("info", 1)])
def test_fail_on(run: Run, seen: str, level: str, code: int) -> None:
    assert run("indexes", "--from", seen, "--fail-on", level).returncode == code


def test_fail_on_may_stand_in_the_config_file_and_an_option_overrides_it(run: Run, seen: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.dbvitals]\nfail_on = "medium"\n')
    assert run("indexes", "--from", seen).returncode == 1
    assert run("indexes", "--from", seen, "--fail-on", "none").returncode == 0


def test_strict_is_4_when_a_part_is_missing(run: Run, seen: str) -> None:
    done = run("indexes", "--from", seen, "--strict")
    assert done.returncode == 4
    assert "This report is incomplete" in done.stdout


def test_a_replica_that_cannot_be_asked_is_a_missing_part(run: Run, here: dict[str, str], tmp_path: Path) -> None:
    done = run("indexes", "--replica", "host=127.0.0.1 port=1", "--strict", env=here)
    assert done.returncode == 4
    assert "replica 127.0.0.1:1/postgres" in done.stdout
    unused = report_of(tmp_path / HERE)["unused_indexes"]
    assert isinstance(unused, list)
    assert all("replica_not_seen" in index["kept_because"] for index in unused)


def test_a_replica_that_is_the_server_itself_is_a_wrong_call(run: Run, here: dict[str, str]) -> None:
    replica = f"host={here['POSTGRES_HOST']} port={here['POSTGRES_PORT']}"
    the_line(run("indexes", "--replica", replica, env=here), 2)


def test_diff_shows_what_changed_and_reads_the_old_report_before_it_is_replaced(
    run: Run, here: dict[str, str], server: PostgresServer
) -> None:
    run("indexes", env=here)
    assert "Nothing has changed." in run("indexes", "--diff", HERE, env=here).stdout
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE INDEX idx_guests_phone ON guests (phone)")
        try:
            done = run("indexes", "--diff", HERE, "--format", "json", env=here)
        finally:
            connection.execute("DROP INDEX idx_guests_phone")
    assert [index["index"] for index in json.loads(done.stdout)["indexes_added"]] == ["idx_guests_phone"]


def test_the_script_is_written(run: Run, seen: str, tmp_path: Path) -> None:
    assert run("indexes", "--from", seen, "--sql", "mend.sql").returncode == 0
    assert "CONCURRENTLY" in (tmp_path / "mend.sql").read_text()


def test_a_reader_who_leaves_early_changes_nothing(seen: str, tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-m", "dbvitals", "indexes", "--from", seen, "--format", "html"])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    report_of(tmp_path / HERE)


def without_the_rights_of_root() -> tuple[str, ...]:
    """Root may write to a read-only folder; without this capability it is treated as everybody is."""
    drop = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}") if os.geteuid() == 0 else ()


def test_a_read_only_folder_is_one_line_and_the_report_is_shown_all_the_same(
    run: Run, seen: str, tmp_path: Path
) -> None:
    playbook = tmp_path / ".playbook"
    playbook.mkdir()
    (playbook / "index_analysis.json").write_text("old")
    playbook.chmod(0o555)
    try:
        done = run("indexes", "--from", seen, prefix=without_the_rights_of_root())
    finally:
        playbook.chmod(0o755)
    assert done.returncode == 2
    assert re.fullmatch(r"dbvitals: \.playbook/\S+ could not be written: Permission denied: .+\n", done.stderr)
    assert re.search(r"^Report +not written$", done.stdout, re.MULTILINE)
    assert [path.name for path in playbook.iterdir()] == ["index_analysis.json"]
    assert (playbook / "index_analysis.json").read_text() == "old"


def test_a_full_disk_is_one_line(run: Run, seen: str) -> None:
    done = run("indexes", "--from", seen, "--output", "/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("dbvitals: /dev/full could not be written: No space left on device: ")
