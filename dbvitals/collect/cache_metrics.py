"""Hits and misses by family of keys, from the service's own metrics: no server can tell them."""

import contextlib
import http.client
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import structs

from dbvitals.collect.app_registry import MOST_BYTES, Address, cut_at
from dbvitals.errors import ServerError, UsageError
from dbvitals.expect import KeyFamily
from dbvitals.model import Skipped
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, PatternLookups

PART = "hit ratio by pattern"
PATH = "/metrics"
METRIC = "redis_cache_requests_total"
FOUND = ("hit", "stale")
MISSED = ("miss", "corrupt")
"""Outcomes of a look; others (the cache was away) were none."""

_LINE = re.compile(rf"^{METRIC}\{{(?P<labels>[^}}]*)\}} (?P<value>[0-9.eE+]+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"\\]*)"')
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")

Lookups = tuple[PatternLookups, ...]


class ServiceCounters:
    """What a service counts under the families' names; errors show of its address no more than host and port."""

    def __init__(self, url: str, families: Iterable[KeyFamily], *, timeout: float) -> None:
        """Raises UsageError for what is no address, before anything is asked."""
        self._address = _address_of(url)
        self._families = tuple(families)
        self._timeout = timeout
        self._began: tuple[float, Lookups] | None = None
        self._failed: ServerError | None = None

    def begin(self) -> None:
        """Count from now on, not from the service's start. What goes wrong here is raised by `lookups`."""
        try:
            self._began = (time.monotonic(), lookups_in(self._page(), self._families))
        except ServerError as error:
            self._failed = error

    def lookups(self) -> tuple[Lookups, tuple[Skipped, ...]]:
        """Give hits and misses by pattern, and what cannot be told. Raises ServerError."""
        if self._failed is not None:
            raise self._failed
        found = lookups_in(self._page(), self._families)
        if not found:
            raise self._error(f"has no {METRIC}", "count looks with dbvitals.observe.cache")
        if self._began is None:
            return found, ()
        since, earlier = self._began
        return _grown(earlier, found, time.monotonic() - since)

    def _page(self) -> str:
        deadline = time.monotonic() + self._timeout
        try:
            status, body = _get(self._address, deadline)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            why = (
                "gives no whole answer in time" if time.monotonic() >= deadline else f"does not answer ({_why(error)})"
            )
            raise self._error(why, "check --metrics, and that the service runs") from error
        if status != HTTPStatus.OK:
            raise self._error(f"answers {status}", "give the address where its metrics are; no redirect is followed")
        if len(body) > MOST_BYTES:
            raise self._error(f"answers more than {MOST_BYTES // 1_000_000} MB", "check --metrics")
        return body.decode("utf-8", "replace")

    def _error(self, what: str, mend: str) -> ServerError:
        scheme = "https" if self._address.secure else "http"
        return ServerError(f"{scheme}://{self._address} {what}", mend=mend)


def lookups_in(text: str, families: Iterable[KeyFamily]) -> Lookups:
    """Add up the counters of a metrics page by declared pattern. Raises ServerError for what is no number."""
    names = {family.prefix.rstrip(":/|._-"): family.pattern for family in families}
    hits: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        pattern = names.get(labels.get("family", ""))
        if pattern is None:
            continue
        value = _whole(line["value"])
        hits[pattern] += value if labels.get("outcome") in FOUND else 0
        misses[pattern] += value if labels.get("outcome") in MISSED else 0
    return tuple(
        PatternLookups(pattern=pattern, source="client", hits=hits[pattern], misses=misses[pattern], seconds=None)
        for pattern in sorted(hits.keys() | misses.keys())
    )


def lookups_since(snapshot: KeyspaceSnapshot, earlier: KeyspaceSnapshot) -> KeyspaceSnapshot:
    """Leave only those of the service's lookups that it counted after an earlier snapshot."""
    now = [one for one in snapshot.lookups if one.source == "client"]
    if not now:
        return snapshot
    then = [one for one in earlier.lookups if one.source == "client"]
    if then and all(one.seconds is None for one in (*then, *now)):
        found, skipped = _grown(then, now, (snapshot.taken_at - earlier.taken_at).total_seconds())
    else:
        why = "the earlier snapshot, or this one, does not hold what the service counted since its start"
        found, skipped = (), (Skipped(part=PART, why=why, mend="save both with --metrics and without --window"),)
    others = tuple(one for one in snapshot.lookups if one.source != "client")
    return structs.replace(snapshot, lookups=(*found, *others), skipped=(*snapshot.skipped, *skipped))


def _grown(
    then: Sequence[PatternLookups], now: Sequence[PatternLookups], seconds: float
) -> tuple[Lookups, tuple[Skipped, ...]]:
    """By how much each counter has grown; one that was not there yet was 0."""
    before, after = ({one.pattern: (one.hits or 0, one.misses) for one in page} for page in (then, now))
    grown: list[PatternLookups] = []
    fallen: list[str] = []
    for pattern in sorted(before.keys() | after.keys()):
        old_hits, old_misses = before.get(pattern, (0, 0))
        new_hits, new_misses = after.get(pattern, (0, 0))
        hits, misses = new_hits - old_hits, new_misses - old_misses
        if hits < 0 or misses < 0:
            fallen.append(pattern)
        else:
            grown.append(
                PatternLookups(pattern=pattern, source="client", hits=hits, misses=misses, seconds=round(seconds, 3))
            )
    if not fallen:
        return tuple(grown), ()
    why = f"the service was started anew: it counts fewer looks than before for {', '.join(fallen)}"
    return tuple(grown), (Skipped(part=PART, why=why, mend="run again"),)


def _get(address: Address, deadline: float) -> tuple[int, bytes]:
    """Status and body; of a page that was cut short the counters would be too few, so it raises HTTPException."""
    kind = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=deadline - time.monotonic())
    with contextlib.closing(connection):
        connection.connect()
        with cut_at(deadline, connection.sock):
            connection.request("GET", address.path)
            with contextlib.closing(connection.getresponse()) as response:
                body = response.read(MOST_BYTES + 1)
                if response.length and len(body) <= MOST_BYTES:
                    raise http.client.IncompleteRead(body, response.length)
                status = response.status
    if time.monotonic() >= deadline:
        raise TimeoutError
    return status, body


def _address_of(url: str) -> Address:
    # Neither message quotes the address: a login or a token may be in it.
    wrong = UsageError("--metrics is no address", mend="write http://localhost:8000/metrics")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not host or port == 0 or _UNSEEN.search(url):
        raise wrong
    if "@" in parts.netloc:
        raise UsageError("the address of --metrics holds a login", mend="write http://localhost:8000/metrics")
    secure = parts.scheme == "https"
    return Address(secure, host, port or (443 if secure else 80), _path_of(parts))


def _path_of(parts: SplitResult) -> str:
    path = quote(parts.path, safe="/%") or PATH
    return f"{path}?{quote(parts.query, safe='=&%+')}" if parts.query else path


def _whole(text: str) -> int:
    try:
        return round(float(text))
    except (ValueError, OverflowError) as error:
        raise ServerError(f"a {METRIC} of the service is no number", mend="check --metrics") from error


def _why(error: Exception) -> str:
    """The system's words; those of the protocol's errors quote what came."""
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
