"""The dumps that lie here, what their servers said of the keys, and dumps made by hand."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dbvitals.collect import rdb_memory
from dbvitals.collect.rdb_file import DumpFile
from dbvitals.collect.rdb_memory import LIBC, MemoryModel
from dbvitals.collect.rdb_records import Record, Walk

DUMPS = Path(__file__).parent / "dumps"


class Said(msgspec.Struct, array_like=True, frozen=True):
    """What a server said of a key."""

    encoding: str
    memory_bytes: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Dump:
    name: str
    model: MemoryModel
    """The server's own, with the allocator that it was built with."""
    format: int

    @property
    def path(self) -> Path:
        return DUMPS / f"{self.name}.rdb"

    def said(self) -> dict[bytes, Said]:
        kept = json.loads((DUMPS / f"{self.name}.json").read_text())
        return {name.encode("latin-1"): msgspec.convert(said, Said) for name, said in kept.items()}


ALL = (
    Dump("redis-6.2", rdb_memory.Redis6(rdb_memory.JEMALLOC), 9),
    Dump("redis-7.0", rdb_memory.MemoryModel(rdb_memory.SYSTEM_JEMALLOC), 10),
    Dump("redis-8.2", rdb_memory.Redis8(rdb_memory.JEMALLOC), 12),
    Dump("valkey-8.1", rdb_memory.Valkey8(LIBC), 11),
    Dump("valkey-9.1", rdb_memory.Valkey9(LIBC), 80),
)
REDIS_7 = ALL[1]


def walked(path: Path, model: MemoryModel | None = None) -> list[Record]:
    with DumpFile(path) as file:
        return list(Walk(file, model or MemoryModel(LIBC)).records())


def length(number: int) -> bytes:
    """Write a length as a dump has it."""
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return bytes([0x40 | number >> 8, number & 0xFF])
    return b"\x80" + number.to_bytes(4, "big") if number < 1 << 32 else b"\x81" + number.to_bytes(8, "big")


def text(value: bytes) -> bytes:
    return length(len(value)) + value


def handmade(path: Path, *parts: bytes, header: bytes = b"REDIS0013") -> Path:
    """Write a dump of these operations and keys."""
    path.write_bytes(header + b"".join(parts) + b"\xff" + bytes(8))
    return path
