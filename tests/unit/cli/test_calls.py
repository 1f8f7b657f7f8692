"""Wrong calls and wrong configurations: exit code 2, and one line that says how to mend it."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import dbvitals.cli
from dbvitals.cli import main

Run = Callable[..., "Done"]


class Done:
    """What a call left behind."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `main` in an empty folder, with an environment that names no server."""
    monkeypatch.chdir(tmp_path)
    for name in ("POSTGRES_HOST", "POSTGRES_PORT", "PGHOST", "PGPORT", "PGSERVICE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Done:
        code = main(arguments)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def the_line(done: Done, code: int) -> str:
    """The one line of standard error, without the program's name."""
    assert done.code == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    assert lines[0].startswith("dbvitals: ")
    return lines[0].removeprefix("dbvitals: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["indices"], "No such command 'indices'"),
        (["indexes", "--hots", "x"], "No such option '--hots'"),
        (["indexes", "--port"], "Option '--port' requires an argument"),
        (["indexes", "extra"], "Got unexpected extra argument (extra)"),
        (["indexes", "--port", "70000"], "--port gives port '70000': a port is a number from 1 to 65535"),
        (["indexes", "--sslmode", "on"], "--sslmode gives sslmode 'on'"),
        (["indexes", "--dsn", "nonsense"], "--dsn is not a PostgreSQL address"),
        (["indexes", "--format", "xml"], "Invalid value for '--format': 'xml' is not one of"),
        (["indexes", "--fail-on", "low"], "Invalid value for '--fail-on': 'low' is not one of"),
        (["indexes", "--statement-timeout", "0"], "Invalid value for '--statement-timeout': '0' is not a time such"),
        (["indexes", "--min-observed", "nan"], "Invalid value for '--min-observed': 'nan' is not a number from 0"),
        (["indexes", "--config", "absent.toml"], "absent.toml cannot be read: No such file or directory"),
        (["indexes", "--from", "absent.json"], "absent.json cannot be read: No such file or directory"),
        (["indexes", "--diff", "absent.json"], "absent.json cannot be read: No such file or directory"),
        (["indexes", "--from", "a.json", "--save", "b.json"], "--from asks no server, so --save has nothing to do"),
        (["indexes", "--output", "-", "--diff", "a.json"], "--output - leaves no room on standard output for --diff"),
        (["indexes", "--sql", "-"], "only --output can be standard output"),
    ],
)
def test_a_wrong_call_is_one_line(run: Run, arguments: list[str], line: str) -> None:
    assert the_line(run(*arguments), 2).startswith(line)


def test_a_line_about_an_option_says_where_the_options_are(run: Run) -> None:
    assert the_line(run("indexes", "--hots"), 2).endswith("see dbvitals indexes --help")


def test_without_a_command_the_commands_are_shown(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert "indexes" in done.stderr
    assert "sandbox" in done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["indexes", "--version"]])
def test_the_version_is_shown(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("dbvitals ")


def test_help_is_shown_even_when_the_config_file_is_broken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dbvitals.toml").write_text("= nonsense")
    done = run("indexes", "--help")
    assert (done.code, done.stderr) == (0, "")
    for option in ("--dsn", "--sslrootcert", "--output", "--fail-on", "--replica", "--from", "--diff"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fail_onn = 'high'", "dbvitals.toml: there is no setting fail_onn: did you mean fail_on?"),
        ("fail_on = 'low'", "Invalid value for '--fail-on': 'low' is not one of"),
        ("expectations = 'absent_module:x'", "expectations = 'absent_module:x' cannot be imported"),
    ],
)
def test_a_wrong_config_file_is_one_line(run: Run, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "dbvitals.toml").write_text(text)
    assert the_line(run("indexes"), 2).startswith(line)


def test_a_bad_value_of_the_config_file_is_said_to_be_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dbvitals.toml").write_text("lock_timeout = 'soon'")
    assert "(from the config file)" in the_line(run("indexes"), 2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"not json", "old.json is no snapshot of dbvitals: JSON is malformed"),
        (b"{}", "old.json is no snapshot of dbvitals: Object missing required field"),
        (b"[]", "old.json is no snapshot of dbvitals: Expected `object`, got `array`"),
        (b"\xff\xfe", "old.json is no snapshot of dbvitals: "),
        (b'{"snapshot_version": "9.0"}', 'old.json is a snapshot of version "9.0", this dbvitals reads 1.0'),
    ],
)
def test_a_file_that_is_no_snapshot_is_one_line(run: Run, tmp_path: Path, content: bytes, line: str) -> None:
    (tmp_path / "old.json").write_bytes(content)
    assert the_line(run("indexes", "--from", "old.json"), 2).startswith(line)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that has a bug."""

    @click.command
    @click.option("--verbose", is_flag=True)
    def indexes(verbose: bool) -> None:
        raise ZeroDivisionError("postgresql://admin:s3cret@db")

    module = types.ModuleType("broken_command")
    module.indexes = indexes  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_command", module)
    monkeypatch.setitem(dbvitals.cli._COMMANDS, "indexes", "broken_command")


@pytest.mark.usefixtures("broken")
def test_a_bug_is_one_line_without_the_message_of_the_error(run: Run) -> None:
    line = the_line(run("indexes"), 70)
    assert line.startswith("this is a bug of dbvitals (ZeroDivisionError in test_calls.py, line ")
    assert "s3cret" not in line


@pytest.mark.usefixtures("broken")
def test_a_bug_comes_with_its_traceback_when_verbose(run: Run) -> None:
    done = run("indexes", "--verbose")
    assert done.code == 70
    assert "Traceback" in done.stderr
