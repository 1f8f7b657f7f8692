import errno
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbvitals.errors import OutputError
from dbvitals.output import show, to_json, write


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".dbvitals"))


def test_json_is_indented_and_ends_with_a_newline() -> None:
    assert to_json({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}\n'


def test_json_has_no_nan_and_no_infinity() -> None:
    assert json.loads(to_json([float("nan"), float("inf"), -float("inf")])) == [None, None, None]


def test_times_are_rfc_3339_in_utc() -> None:
    assert json.loads(to_json(datetime(2026, 11, 23, 10, tzinfo=UTC))) == "2026-11-23T10:00:00Z"


def test_the_folder_is_made_when_missing(tmp_path: Path) -> None:
    write(str(tmp_path / ".playbook" / "report.json"), b"new")
    assert (tmp_path / ".playbook" / "report.json").read_bytes() == b"new"
    assert leftovers(tmp_path / ".playbook") == []


def test_a_new_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(str(tmp_path / "report.json"), b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o640


def test_an_older_report_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"a much longer older report")
    inode = path.stat().st_ino
    write(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != inode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    write(str(link), b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.json").read_bytes() == b"new"


def test_a_device_is_written_to_and_not_replaced() -> None:
    write("/dev/null", b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write(str(pipe), b"new")
    assert reader.communicate(timeout=10)[0] == b"new"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        (".", "Is a directory: name a file in it"),
        ("x" * 300, "File name too long: choose a shorter name"),
        ("file/report.json", "choose"),
        ("no/such/report.json", "No such file or directory: make the folder first"),
        ("nul\0byte", "choose another place"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        write(destination, b"new")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == []


WRITE = "import sys; from dbvitals.output import write; write(sys.argv[1], b'x' * 1_000_000)"


def test_a_full_disk_leaves_the_older_report_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));" + WRITE
    )
    done = subprocess.run([sys.executable, "-c", limited, str(path)], capture_output=True, text=True, check=False)
    assert os.strerror(errno.EFBIG) in done.stderr
    assert "OutputError" in done.stderr
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_standard_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", WRITE, "-"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert b"standard output could not be written: No space left on device" in done.stderr


def test_a_reader_who_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "{WRITE}" - | head -c 3; echo ${{PIPESTATUS[0]}}'],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"xxx0\n"
    assert done.stderr == b""


def test_what_the_screen_cannot_show_is_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from dbvitals.output import show; show('caf\\u00e9')"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == rb"caf\xe9"


def test_text_goes_to_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    show("habitación\n")
    assert capsysbinary.readouterr().out == "habitación\n".encode()
