"""A file that keeps events while PostgreSQL is away.

One event a line, with a checksum before it. A line counts once it is on the disk (fsync); the last one may be
torn by a crash in the middle of it, in which case nobody was told that it is kept. Several processes may use
one file: additions hold a lock on it, and who plays it back holds another.

Playing back is repeated until PostgreSQL has taken every line; an event's key is made with the event, so one
that is written twice is there once. Lines that cannot be read, and events that PostgreSQL refuses, are moved
to a file beside it (`.rejected`) for a person to look at.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.core.errors import Unavailable
from app.db.audit_writing import AuditRow

OWNER_ONLY = 0o600
# About 300,000 events; a disk that fills up takes more than the audit trail down.
LARGEST_FILE = 256 * 1024 * 1024
CHECKSUM_DIGITS = 8


class SpoolFull(Unavailable):
    """The spool file is as large as it may become, or cannot be written: events cannot be taken now."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events read from the spool, the lines that could not be read, and where the next chunk begins."""

    rows: list[AuditRow]
    damaged: list[bytes]
    end: int


class Spool:
    """Keeps events in a file. All calls are of files and short; call them from a thread where that matters."""

    def __init__(self, path: Path, largest: int = LARGEST_FILE) -> None:
        """`path` is on a local disk, in a folder that exists; files are readable by their owner only."""
        self._path = path
        self._largest = largest

    @property
    def rejected(self) -> Path:
        """Where lines go that can never be written."""
        return self._path.with_name(self._path.name + ".rejected")

    def size(self) -> int:
        """Bytes that wait in the file."""
        with suppress(FileNotFoundError):
            return self._path.stat().st_size
        return 0

    def add(self, rows: Sequence[AuditRow]) -> None:
        """Keep the rows; they are on the disk when this returns. Raises SpoolFull, and then keeps none."""
        lines = b"".join(_to_line(row) for row in rows)
        try:
            self._append(self._path, lines, self._largest)
        except OSError as error:
            raise SpoolFull("the spool of the audit trail cannot be written") from error

    def reject(self, lines: Sequence[bytes]) -> None:
        """Put lines aside for good."""
        self._append(self.rejected, b"".join(line + b"\n" for line in lines), self._largest)

    def reject_rows(self, rows: Sequence[AuditRow]) -> None:
        """Put events aside that PostgreSQL refuses."""
        self.reject([_to_line(row).rstrip(b"\n") for row in rows])

    @contextmanager
    def player(self) -> Iterator[bool]:
        """Be the only one that plays back; gives false when another process does."""
        with _opened(self._path.with_name(self._path.name + ".lock")) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def read(self, start: int, most: int) -> Chunk:
        """Read up to `most` lines from a place in the file on."""
        rows: list[AuditRow] = []
        damaged: list[bytes] = []
        with _opened(self._path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            # No addition is half done while this lock is held: a line without an end was torn by a crash.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            file.seek(start)
            for _ in range(most):
                line = file.readline()
                if not line:
                    break
                row = _from_line(line)
                if row is not None:
                    rows.append(row)
                elif line.strip():
                    damaged.append(line.rstrip(b"\n"))
            return Chunk(rows, damaged, file.tell())

    def clear(self, end: int) -> bool:
        """Empty the file when nothing was added behind `end`; false when something was."""
        with _opened(self._path) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size != end:
                return False
            os.ftruncate(descriptor, 0)
            os.fsync(descriptor)
            return True

    def _append(self, path: Path, lines: bytes, largest: int) -> None:
        if not lines:
            return
        with _opened(path) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            # A torn line must not take the next one with it.
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            lines = b"\n" + lines if torn else lines
            if size + len(lines) > largest:
                raise SpoolFull("the spool of the audit trail is full")
            try:
                _write_all(descriptor, lines)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, OWNER_ONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _to_line(row: AuditRow) -> bytes:
    body = msgspec.json.encode(row)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _from_line(line: bytes) -> AuditRow | None:
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    try:
        if len(checksum) != CHECKSUM_DIGITS or int(checksum, 16) != zlib.crc32(body):
            return None
        return msgspec.json.decode(body, type=AuditRow)
    except (ValueError, msgspec.MsgspecError):
        return None
