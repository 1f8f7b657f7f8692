"""Files that cannot be written: exit code 2, one line, and what stood there stays as it was."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.bad_days.conftest import files_in
from tests.acceptance.cli.conftest import Run

REPORT = ".playbook/index_analysis.json"

SHORT_OF_SPACE = """
mount -t tmpfs -o size=64k tmpfs disk && echo older > disk/out && head -c 60000 /dev/zero > disk/x
"$@"
code=$?
ls -A disk >&2
cat disk/out >&2
exit $code
"""
"""A disk of 64 KiB with 4 KiB left, in a mount namespace of its own: it goes with the process."""

LIMITED = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
os.execv(sys.argv[1], sys.argv[1:])
"""


def may_mount() -> bool:
    """Whether this machine lets us have a mount namespace."""
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def the_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a call that could not write."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line.removeprefix("dbvitals: ")


@pytest.mark.skipif(
    not may_mount(), reason="this machine gives no mount namespace; RLIMIT_FSIZE is tested all the same"
)
@pytest.mark.parametrize(
    ("option", "shown"), [("--output", "Report not written"), ("--sql", "Report .playbook"), ("--save", None)]
)
def test_a_full_disk(run: Run, seen: str, here: dict[str, str], tmp_path: Path, option: str, shown: str | None) -> None:
    (tmp_path / "disk").mkdir()
    source = () if option == "--save" else ("--from", seen)
    prefix = ("unshare", "-Urm", "sh", "-c", SHORT_OF_SPACE, "sh")
    done = run("indexes", *source, option, "disk/out", env=here, prefix=prefix)
    line, *left = done.stderr.splitlines()
    assert done.returncode == 2
    assert line == (
        "dbvitals: disk/out could not be written: No space left on device: free some space; the older file is as it was"
    )
    assert left == ["out", "x", "older"]
    assert (shown or "") in " ".join(done.stdout.split())
    assert bool(done.stdout) == bool(shown)
    assert (tmp_path / REPORT).exists() == (option == "--sql")


@pytest.mark.parametrize("option", ["--output", "--sql", "--save"])
def test_a_file_that_grows_beyond_the_limit(
    run: Run, seen: str, here: dict[str, str], tmp_path: Path, option: str
) -> None:
    before = files_in(tmp_path) | {"out": b"older"}
    (tmp_path / "out").write_text("older")
    source = () if option == "--save" else ("--from", seen)
    # The report goes where there is no limit, unless it is what is to be limited.
    rest = () if option == "--output" else ("--output", "/dev/null")
    done = run("indexes", *source, *rest, option, "out", env=here, prefix=(sys.executable, "-c", LIMITED))
    assert (
        the_line(done) == "out could not be written: File too large: raise the limit on the size of files (ulimit -f)"
    )
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("option", "place", "said"),
    [
        ("--output", "folder", "folder could not be written: Is a directory: name a file in it"),
        ("--output", "x" * 300, "could not be written: File name too long: choose a shorter name"),
        ("--output", "no/such/folder.json", "could not be written: No such file or directory: make the folder first"),
        ("--output", "file/report.json", "file/report.json could not be written: "),
        ("--sql", "folder", "folder could not be written: Is a directory: name a file in it"),
        ("--save", "folder", "folder could not be written: Is a directory: name a file in it"),
    ],
)
def test_a_place_that_cannot_be(
    run: Run, seen: str, here: dict[str, str], tmp_path: Path, option: str, place: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    before = files_in(tmp_path)
    source = () if option == "--save" else ("--from", seen)
    rest = () if option == "--output" else ("--output", "/dev/null")
    done = run("indexes", *source, *rest, option, place, env=here)
    assert said in the_line(done)
    assert files_in(tmp_path) == before


@pytest.mark.skipif(
    not may_mount(), reason="this machine gives no mount namespace; rights are tested in cli/test_reports"
)
def test_a_file_system_that_is_read_only(run: Run, seen: str, tmp_path: Path) -> None:
    (tmp_path / REPORT).parent.mkdir()
    (tmp_path / REPORT).write_text("older")
    read_only = 'mount --bind .playbook .playbook && mount -o remount,bind,ro .playbook && exec "$@"'
    done = run("indexes", "--from", seen, prefix=("unshare", "-Urm", "sh", "-c", read_only, "sh"))
    assert the_line(done) == (
        f"{REPORT} could not be written: Read-only file system: "
        "choose another place with --output, or - for standard output"
    )
    assert "Report not written" in " ".join(done.stdout.split())
    assert (tmp_path / REPORT).read_text() == "older"
    assert os.listdir(tmp_path / ".playbook") == ["index_analysis.json"]  # noqa: PTH208 -- hidden ones too
