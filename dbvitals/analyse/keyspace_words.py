"""The parts that findings about keys are made of."""

from dbvitals.model import Action, Evidence, Ref
from dbvitals.snapshot_keyspace import PatternStats


def keys_of(pattern: str) -> Ref:
    """A pattern as the subject of a finding."""
    return Ref(kind="keys", schema="", name=pattern)


def server(name: str) -> Ref:
    """A node, or the whole Redis, as the subject of a finding."""
    return Ref(kind="redis", schema="", name=name)


def setting(summary: str, line: str, *, undo: str | None = None) -> Action:
    """A line to change: of the service's code or `.env`, or of the server's configuration."""
    return Action(
        summary=summary, statement=line, lock="none", takes="effect at once", reversible=undo is not None, undo=undo
    )


def keys(number: float) -> Evidence:
    """A number of keys."""
    return Evidence(name="keys", value=round(number), unit="keys")


def keys_in(number: int) -> str:
    """A number of keys, in words."""
    return f"{number:,} key{'' if number == 1 else 's'}"


def without_ttl(stats: PatternStats) -> float:
    """Keys that never go away; a key of which every field expires is none (key TTL -1, field TTLs set)."""
    share = stats.expiring_fields / stats.types_known if stats.types_known else 0.0
    return stats.no_ttl * (1 - share)


def duration(seconds: float) -> str:
    """A time to live as people say it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
