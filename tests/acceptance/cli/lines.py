"""What a failed call leaves on standard error."""

import subprocess


def the_line(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line of standard error, without the program's name."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    assert lines[0].startswith("dbvitals: ")
    return lines[0].removeprefix("dbvitals: ")
