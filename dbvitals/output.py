"""Writes reports: as JSON, whole or not at all, to a file or to standard output."""

import contextlib
import errno
import os
import secrets
import sys
from pathlib import Path

import msgspec

from dbvitals.errors import OutputError

STDOUT = "-"

_MENDS = {
    errno.EACCES: "give the right to write there, or choose another place with --output",
    errno.EPERM: "give the right to write there, or choose another place with --output",
    errno.EROFS: "choose another place with --output, or - for standard output",
    errno.ENOSPC: "free some space; the older file is as it was",
    errno.EDQUOT: "free some space; the older file is as it was",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "choose a place under a folder",
    errno.EEXIST: "a file stands where its folder should be; choose another place",
    errno.EISDIR: "name a file in it",
}


def to_json(value: object) -> bytes:
    """Indented JSON with a newline at its end. Times are RFC 3339; what is not a number becomes null."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write(destination: str, content: bytes) -> None:
    """Write to a file, whole or not at all, or to standard output (`-`).

    The file's folder is made when missing. Raises OutputError; what stood in the file is then untouched.
    """
    try:
        if destination == STDOUT:
            _write_stdout(content)
        else:
            _write_file(Path(destination).resolve(), content)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        place = "standard output" if destination == STDOUT else destination
        raise OutputError(
            f"{place} could not be written: {os.strerror(number) if number else error}",
            mend=_MENDS.get(number or 0, "choose another place"),
        ) from error


def show(text: str) -> None:
    """Write text to standard output; what its encoding does not know is escaped."""
    write(STDOUT, text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def _write_stdout(content: bytes) -> None:
    """Somebody who reads only the beginning (`| head`) is no error."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes once more at its end; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_file(path: Path, content: bytes) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        # A device or a pipe (/dev/null, a shell's >(…)) is written to, never replaced.
        path.write_bytes(content)
        return
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".dbvitals-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename outlast a power cut; where a file system cannot, the file is whole all the same."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
