"""Figures of a keyspace of which a part may not have been seen: what is not known is None, never 0."""

from dbvitals.analyse.keyspace_rules_expired import expired_keys, expired_meanwhile
from dbvitals.analyse.keyspace_seen import Seen, distrust
from dbvitals.snapshot_keyspace import DatabaseInfo, PatternStats

UNSEEN_SHARE = 0.01
"""Of DBSIZE: so many keys have expired at any moment and are not gone yet."""


def keys_without_ttl(seen: Seen) -> int | None:
    """Keys without TTL; by INFO, which counts them too, where PTTL was denied."""
    counted = [_no_ttl(stats) for stats in seen.patterns]
    if None not in counted:
        return round(seen.scale * sum(number or 0 for number in counted))
    if not is_whole(seen):
        return None
    return sum(base.keys - base.expires for base in _databases_read(seen))


def no_ttl_of(seen: Seen, stats: PatternStats) -> int | None:
    """Keys of one pattern without TTL."""
    number = _no_ttl(stats)
    return None if number is None else round(seen.scale * number)


def memory_of(seen: Seen, stats: PatternStats) -> int | None:
    """Bytes of one pattern."""
    return None if stats.count and not stats.memory_known else round(seen.scale * stats.memory_bytes)


def measured_bytes(seen: Seen) -> int | None:
    """Bytes of all keys, as measured or scaled up."""
    return seen.memory_bytes if sizes_known(seen) or not seen.keys else None


def sizes_known(seen: Seen) -> bool:
    """Whether any key was measured."""
    return any(stats.memory_known for stats in seen.patterns)


def unaccounted_bytes(seen: Seen) -> int | None:
    """What the server says that its keys take, less what they were measured at; None where these are not the same."""
    stated = seen.keyspace_bytes
    measured = all(stats.memory_known == stats.count for stats in seen.patterns)
    if stated is None or not measured or not is_whole(seen) or distrust(seen):
        return None
    return stated - seen.memory_bytes


def is_whole(seen: Seen) -> bool:
    """Whether all was seen, and is there: no key that the login may not read left out, no node, no rest of a pass."""
    coverage = seen.snapshot.coverage
    return not (
        coverage.ended != "complete"
        or coverage.topology_changed
        or coverage.nodes_missing
        or forbidden_keys(seen)
        or was_emptied(seen)
    )


def was_emptied(seen: Seen) -> bool:
    """Whether most keys were deleted during the pass, as FLUSHDB does: what was seen is neither before nor after."""
    coverage = seen.snapshot.coverage
    deleted = coverage.keys_before - coverage.keys_after - expired_meanwhile(seen)
    return coverage.mode == "full" and deleted > coverage.keys_before / 2


def forbidden_keys(seen: Seen) -> int:
    """Keys of which the login sees no more than the name."""
    return sum(stats.forbidden for stats in seen.patterns)


def unseen_keys(seen: Seen) -> int:
    """Expired keys that a complete pass did not meet, and that are in memory; 0 where they are so few as always."""
    unseen = expired_keys(seen) or 0
    return unseen if is_whole(seen) and unseen > UNSEEN_SHARE * seen.snapshot.coverage.keys_before else 0


def _no_ttl(stats: PatternStats) -> int | None:
    return None if stats.ttl_known < stats.count else stats.no_ttl


def _databases_read(seen: Seen) -> list[DatabaseInfo]:
    chosen = seen.snapshot.database
    return [base for node in seen.readers for base in node.databases if chosen in ("all", str(base.index))]
