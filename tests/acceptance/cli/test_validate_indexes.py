"""`scripts/validate_indexes.sh`: the guide's calls, word for word."""

import os
import shutil
import subprocess
from pathlib import Path

from dbvitals.sandbox import PostgresServer
from tests.acceptance.cli.conftest import ROOT, bare_environment

SCRIPT = "scripts/validate_indexes.sh"

CUSTOM = """./scripts/validate_indexes.sh \\
  --host db-prod.example.com \\
  --port 5432 \\
  --user admin \\
  --password secret \\
  --database agente_hotel_prod"""


def checkout(folder: Path) -> None:
    """The script in a checkout of its own, with an environment made from this one."""
    (folder / "scripts").mkdir()
    shutil.copy2(ROOT / SCRIPT, folder / SCRIPT)
    (folder / ".venv").symlink_to(ROOT / ".venv")


def call(command: str, folder: Path, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=bare_environment() | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_basic_usage_takes_its_credentials_from_dotenv(tmp_path: Path, here: dict[str, str]) -> None:
    checkout(tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in here.items()))
    done = call("./scripts/validate_indexes.sh", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".playbook" / "index_analysis.json").is_file()


def test_custom_connection_reaches_for_the_server_that_is_named(tmp_path: Path) -> None:
    checkout(tmp_path)
    done = call(CUSTOM, tmp_path, {"PGHOSTADDR": "127.0.0.2"})
    assert done.returncode == 3
    warning, error = done.stderr.splitlines()
    assert "password given on the command line" in warning
    assert "cannot connect to db-prod.example.com:5432/agente_hotel_prod" in error
    assert "secret" not in done.stderr


def test_custom_output_location(tmp_path: Path, here: dict[str, str]) -> None:
    checkout(tmp_path)
    done = call("./scripts/validate_indexes.sh --output custom_report.json", tmp_path, here)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "custom_report.json").is_file()


def test_help(tmp_path: Path) -> None:
    checkout(tmp_path)
    done = call("./scripts/validate_indexes.sh --help", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("--host", "--port", "--user", "--password", "--database", "--output", "--help"):
        assert option in done.stdout


def test_from_another_folder_it_works_and_writes_where_it_was_called(
    tmp_path: Path, server: PostgresServer, here: dict[str, str]
) -> None:
    done = call(f"{ROOT / SCRIPT} --quiet", tmp_path, here)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".playbook" / "index_analysis.json").is_file()


def test_without_an_environment_it_says_what_to_type(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / ".venv").unlink()
    done = call("./scripts/validate_indexes.sh", tmp_path, {"PATH": "/usr/bin:/bin"})
    assert done.returncode == 2
    assert done.stderr == f"validate_indexes.sh: dbvitals is not installed; type: python3 {tmp_path}/dev.py setup\n"


def test_without_an_environment_it_takes_dbvitals_from_the_path_and_passes_words_as_they_are(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / ".venv").unlink()
    program = tmp_path / "bin" / "dbvitals"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    done = call("./scripts/validate_indexes.sh --table 'a b' '*'", tmp_path, {"PATH": path})
    assert done.stdout == "<indexes><--table><a b><*>"
