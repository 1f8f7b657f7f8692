"""A dump as a file: its first bytes, what it says of itself, and giving back memory of what has been passed."""

import mmap
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from dbvitals.collect.rdb_strings import RdbError, read_string

MAGIC = re.compile(rb"(REDIS|VALKEY)(\d{3,4})")
HEADER = 9
REDIS_VERSIONS = range(7, 14)
VALKEY_VERSIONS = range(80, 81)
OPCODE_AUX = 0xFA
WINDOW = 8 << 20
"""Bytes that are passed before their memory is given back."""

ANOTHER = "make one with BGSAVE or `redis-cli --rdb FILE`"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a dump says of itself; `made_at` and `used_memory` are None when it does not tell."""

    product: str
    version: str
    format: int
    made_at: datetime | None
    used_memory: int | None
    is_valkey: bool


@dataclass(slots=True)
class DumpFile:
    """A dump, mapped into memory; a context manager. Raises RdbError for what cannot be opened or is no dump."""

    path: Path
    dump: mmap.mmap = field(init=False)
    about: About = field(init=False)
    start: int = field(init=False)
    _given_back: int = field(init=False, default=0)

    def __enter__(self) -> "DumpFile":
        if self.path.is_fifo():  # to open it would wait for somebody who writes
            raise RdbError(f"{self.path} is a pipe, and a dump is read in several places", mend="write it to a file")
        try:
            with self.path.open("rb") as file:
                self.dump = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise RdbError(f"{self.path} is empty", mend=ANOTHER) from None
        except OSError as error:
            raise RdbError(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            self._read_header()
        except BaseException:
            self.dump.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dump.close()

    def release(self, place: int) -> None:
        """Give back the memory of what lies before `place`, a window at a time. It can still be read."""
        if place - self._given_back > WINDOW and place < len(self.dump):
            start = self._given_back
            self._given_back = place - place % mmap.PAGESIZE
            if hasattr(mmap, "MADV_DONTNEED"):  # elsewhere the system takes back clean pages when it needs them
                self.dump.madvise(mmap.MADV_DONTNEED, start, self._given_back - start)

    def rewind(self) -> None:
        """Begin again from the start."""
        self._given_back = 0

    def _read_header(self) -> None:
        match = MAGIC.fullmatch(self.dump[:HEADER])
        if match is None:
            raise RdbError(f"{self.path} is no dump of Redis or Valkey", mend=ANOTHER)
        number, is_valkey = int(match[2]), match[1] == b"VALKEY"
        if number not in (VALKEY_VERSIONS if is_valkey else REDIS_VERSIONS):
            known = f"{REDIS_VERSIONS[0]} to {REDIS_VERSIONS[-1]} and Valkey's {VALKEY_VERSIONS[0]}"
            raise RdbError(f"{self.path} has version {number} of the dump's format", mend=f"{known} can be read")
        try:
            fields, self.start = self._read_fields()
        except IndexError:
            raise RdbError(f"{self.path} ends too early", mend=ANOTHER) from None
        self.about = _about(fields, number, is_valkey=is_valkey)

    def _read_fields(self) -> tuple[dict[bytes, bytes], int]:
        fields, place = {}, HEADER
        while self.dump[place] == OPCODE_AUX:
            name, place = read_string(self.dump, place + 1)
            fields[name], place = read_string(self.dump, place)
        return fields, place


def _about(fields: dict[bytes, bytes], number: int, *, is_valkey: bool) -> About:
    valkey = fields.get(b"valkey-ver")
    version = valkey or fields.get(b"redis-ver", b"")
    return About(
        product="valkey" if valkey else "redis",
        version=version.decode("ascii", "replace"),
        format=number,
        made_at=_time(fields.get(b"ctime")),
        used_memory=_number(fields.get(b"used-mem")),
        is_valkey=is_valkey,
    )


def _number(text: bytes | None) -> int | None:
    return int(text) if text and re.fullmatch(rb"-?\d{1,19}", text) else None


def _time(text: bytes | None) -> datetime | None:
    seconds = _number(text)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
