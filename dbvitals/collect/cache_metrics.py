"""Hits and misses by family of keys, from the service's own metrics: no server can tell them."""

import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from dbvitals.errors import UsageError
from dbvitals.expect import KeyFamily
from dbvitals.model import Skipped
from dbvitals.snapshot_keyspace import PatternLookups

METRIC = "redis_cache_requests_total"
FOUND = ("hit", "stale")
MISSED = ("miss", "corrupt")
"""Outcomes of a look; others (the cache was away) were none."""

LONGEST = 16 * 1024 * 1024
"""Bytes of an answer: a service's metrics are a hundredth of it."""

_LINE = re.compile(rf"^{METRIC}\{{(?P<labels>[^}}]*)\}} (?P<value>[0-9.eE+]+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"\\]*)"')

Lookups = tuple[PatternLookups, ...]


def read_lookups(url: str, families: Iterable[KeyFamily], *, timeout: float) -> tuple[Lookups, tuple[Skipped, ...]]:
    """Ask the service; what it counts under a family's name is the family's. Raises UsageError for what is no URL."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--metrics {url!r} is no address", mend="write http://localhost:8000/metrics")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - the scheme is checked above
            text = answer.read(LONGEST).decode("utf-8", "replace")
    except (OSError, urllib.error.URLError) as error:
        reason = str(getattr(error, "reason", None) or error)
        return (), (_missing(url, reason, "check --metrics, and that the service runs"),)
    found = lookups_in(text, families)
    if not found:
        return (), (_missing(url, f"it has no {METRIC}", "count looks with dbvitals.observe.cache"),)
    return found, ()


def lookups_in(text: str, families: Iterable[KeyFamily]) -> Lookups:
    """Add up the counters of a metrics page by declared pattern."""
    names = {family.prefix.rstrip(":/|._-"): family.pattern for family in families}
    hits: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        pattern = names.get(labels.get("family", ""))
        if pattern is None:
            continue
        hits[pattern] += round(float(line["value"])) if labels.get("outcome") in FOUND else 0
        misses[pattern] += round(float(line["value"])) if labels.get("outcome") in MISSED else 0
    return tuple(
        PatternLookups(pattern=pattern, source="client", hits=hits[pattern], misses=misses[pattern], seconds=None)
        for pattern in sorted(hits.keys() | misses.keys())
    )


def _missing(url: str, why: str, mend: str) -> Skipped:
    return Skipped(part="hit ratio by pattern", why=f"{url}: {why}", mend=mend)
