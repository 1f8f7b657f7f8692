"""The parts that findings about keys are made of."""

import re

from dbvitals.analyse.key_patterns import OTHER
from dbvitals.model import Action, Evidence, Ref
from dbvitals.snapshot_keyspace import PatternStats


def keys_of(pattern: str) -> Ref:
    """A pattern as the subject of a finding."""
    return Ref(kind="keys", schema="", name=pattern)


def server(name: str) -> Ref:
    """A node, or the whole Redis, as the subject of a finding."""
    return Ref(kind="redis", schema="", name=name)


def setting(summary: str, line: str, *, undo: str | None = None, takes: str = "effect at once") -> Action:
    """A line to change: of the service's code or `.env`, or of the server's configuration."""
    return Action(summary=summary, statement=line, lock="none", takes=takes, reversible=undo is not None, undo=undo)


def keys(number: float) -> Evidence:
    """A number of keys."""
    return Evidence(name="keys", value=round(number), unit="keys")


def keys_in(number: int) -> str:
    """A number of keys, in words."""
    return f"{number:,} key{'' if number == 1 else 's'}"


def without_ttl(stats: PatternStats) -> float:
    """Keys that never go away; a key of which every field expires is none (key TTL -1, field TTLs set)."""
    if not stats.no_ttl_asked:
        return stats.no_ttl
    return stats.no_ttl * (1 - stats.no_ttl_expiring / stats.no_ttl_asked)


def staying_for_sure(stats: PatternStats) -> bool:
    """Whether each key without TTL is known to stay, or not to; else some were asked, and stand for the others."""
    return not stats.no_ttl_expiring or stats.no_ttl_asked >= stats.no_ttl


_QUEUES = ("list", "stream", "zset")
"""Types that hold what waits for somebody: they stay as long as they are not empty."""


def queue_of(stats: PatternStats) -> str:
    """The type of a pattern whose keys are queues, mostly; else empty."""
    return next((kind for kind in _QUEUES if 2 * stats.types.get(kind, 0) > stats.types_known), "")


def declaration(pattern: str) -> str:
    """The line that declares the family of a discovered pattern; empty when nothing stands before its identities.

    Whether its keys are to expire is the reader's to say: they do not, and that may be right.
    """
    prefix = re.split(r"[<*?\[\]\\]", pattern, maxsplit=1)[0]
    if not prefix or pattern == OTHER:
        return ""
    return f"KeyFamily(pattern={prefix + '*'!r}, description='…', expires=None)"


_SINCE = {"start": "since the server's start", "window": "in a window", "saved": "since the saved snapshot"}


def since(source: str, seconds: float | None) -> str:
    """Where counters begin, and for how long they ran."""
    return _SINCE[source] + (f" ({duration(seconds)})" if seconds else "")


def counted_for(seconds: float | None) -> tuple[Evidence, ...]:
    """For how long counters ran, where that is known."""
    return () if seconds is None else (Evidence(name="counted for", value=round(seconds, 1), unit="seconds"),)


def gibibytes(number: int) -> str:
    """Bytes in words: GiB, or MiB below one of them."""
    mebibytes = number / 1024 / 1024
    return f"{mebibytes / 1024:,.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:,.1f} MiB"


def duration(seconds: float) -> str:
    """A time to live as people say it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
