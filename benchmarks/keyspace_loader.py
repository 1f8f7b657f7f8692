"""Fills a Redis with a keyspace of known families, and says what is in it: the ground truth of tests and benchmarks."""

import socket
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

from hiredis import Reader, pack_command

from benchmarks._keyspace import Command, Key, keyspace

BATCH = 2_000


@dataclass(slots=True)
class Truth:
    """What was written for one family: keys, those without TTL, the moments of expiry in milliseconds since 1970."""

    pattern: str
    keys: int = 0
    no_ttl: int = 0
    expiries: "array[int]" = field(default_factory=lambda: array("q"))

    def alive(self, now_ms: int) -> int:
        """Keys that have not expired at that moment."""
        return self.no_ttl + sum(expiry > now_ms for expiry in self.expiries)

    def ttl_range(self, now_ms: int) -> tuple[int, int] | None:
        """The shortest and the longest time to live at that moment, in milliseconds; None when nothing expires."""
        left = [expiry - now_ms for expiry in self.expiries if expiry > now_ms]
        return (min(left), max(left)) if left else None


class Connection:
    """A connection that sends many commands at once and fails on the first error among the answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "localhost", parts.port or 6379), timeout=120)
        self._reader = Reader()
        if parts.password:
            self.send([("AUTH", unquote(parts.password))])
        if parts.path.strip("/"):
            self.send([("SELECT", parts.path.strip("/"))])

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Give all answers."""
        self._socket.sendall(b"".join(map(_packed, commands)))
        answers: list[Any] = []
        while len(answers) < len(commands):
            answer = self._reader.gets()
            if answer is False:
                data = self._socket.recv(1 << 18)
                if not data:
                    raise ConnectionError("Redis has closed the connection")
                self._reader.feed(data)
            elif isinstance(answer, Exception):
                raise answer
            else:
                answers.append(answer)
        return answers

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _packed(command: Command) -> bytes:
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # its stub knows one word only
    return packed


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection for a while."""
    connection = Connection(url)
    try:
        yield connection
    finally:
        connection.close()


def load(url: str, *, keys: int, seed: int, now_ms: int) -> dict[str, Truth]:
    """Write a keyspace into an empty database; expiries are counted from `now_ms`. Gives the truth by pattern."""
    truth: dict[str, Truth] = {}
    with connected(url) as connection:
        for batch in _batches(keyspace(keys, Random(seed))):
            commands: list[Command] = []
            for key in batch:
                commands += key.commands
                found = truth.setdefault(key.pattern, Truth(key.pattern))
                found.keys += 1
                if key.ttl_ms is None:
                    found.no_ttl += 1
                else:
                    found.expiries.append(now_ms + key.ttl_ms)
                    commands.append(("PEXPIREAT", key.name, now_ms + key.ttl_ms))
            connection.send(commands)
    return truth


def measured_bytes(url: str, pattern_of: Callable[[bytes], str]) -> dict[str, int]:
    """The sum of MEMORY USAGE of every key, with every element measured, by pattern. Slow, and blocks the server."""
    sums: dict[str, int] = {}
    with connected(url) as connection:
        cursor = b"0"
        while True:
            ((cursor, names),) = connection.send([("SCAN", cursor, "COUNT", 1000)])
            sizes = connection.send([("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names]) if names else []
            for name, size in zip(names, sizes, strict=True):
                pattern = pattern_of(name)
                sums[pattern] = sums.get(pattern, 0) + (size or 0)
            if cursor == b"0":
                return sums


def _batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    batch: list[Key] = []
    for key in keys:
        batch.append(key)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch
