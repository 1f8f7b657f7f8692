"""The rule about logical databases that were not looked at."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import keys, keys_in, server, setting
from dbvitals.model import Finding, Severity

_NAMED = 10
"""Databases that are named; of more, how many there are."""


def keys_elsewhere(seen: Seen) -> dict[int, int]:
    """Keys by database, of those that were not looked at and are not empty."""
    found: dict[int, int] = {}
    if seen.snapshot.database == "all":
        return found
    for base in (base for node in seen.primaries for base in node.databases):
        if base.keys and str(base.index) != seen.snapshot.database:
            found[base.index] = found.get(base.index, 0) + base.keys
    return dict(sorted(found.items()))


def database_findings(seen: Seen) -> Iterator[Finding]:
    """Say how many keys lie in other databases."""
    elsewhere = keys_elsewhere(seen)
    if not elsewhere:
        return
    number = sum(elsewhere.values())
    named = ", ".join(map(str, list(elsewhere)[:_NAMED]))
    more = f" and {len(elsewhere) - _NAMED:,} more" if len(elsewhere) > _NAMED else ""
    yield Finding(
        rule="RED014",
        severity=Severity.INFO,
        subject=server(seen.snapshot.source),
        message=f"{keys_in(number)} in other databases ({named}{more}) not looked at; "
        "hits, misses and evictions are those of all",
        evidence=(keys(number),),
        action=setting("look at all of them", "dbvitals cache --all-dbs"),
    )
