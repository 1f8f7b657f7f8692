"""Adds the keys of a dump up by pattern."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import LARGEST, PatternTally, bucket_of
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.rdb_calibration import Calibration
from dbvitals.collect.rdb_records import EXPIRING_FIELDS, Record
from dbvitals.snapshot_keyspace import KeySize

SETTLE_EVERY = 50_000
"""Keys that are added up in simple lists before they go to the tally: a call for each of them would double the time."""


class _Sums:
    """Keys of one pattern and encoding since the last settling: times of expiry, bytes, the largest."""

    __slots__ = ("expiries", "floor", "gone", "largest", "no_ttl", "size", "staying", "tenants")

    def __init__(self, *, tenants: bool) -> None:
        self.no_ttl = self.gone = 0
        self.expiries: list[int] = []
        self.size = self.staying = 0.0
        self.largest: list[tuple[float, bytes]] = []
        self.floor = -1.0
        self.tenants = tenants

    def add_large(self, size: float, key: bytes) -> None:
        """Keep a key that is larger than `floor`."""
        if len(self.largest) < LARGEST:
            heapq.heappush(self.largest, (size, key))
        else:
            heapq.heapreplace(self.largest, (size, key))
        if len(self.largest) == LARGEST:
            self.floor = self.largest[0][0]


@dataclass(slots=True)
class Database:
    """What a logical database holds: all keys, those that expire, and those of which fields expire."""

    keys: int = 0
    expires: int = 0
    volatile_items: int = 0


class Reading:
    """Adds keys up as they are read."""

    def __init__(self, harvest: Harvest, calibration: Calibration, now_ms: int, db: int | None) -> None:
        self.harvest = harvest
        self.databases: dict[int, Database] = {}
        self.expired = 0
        self.db = db
        self._database = 0
        self._calibration = calibration
        self._now_ms = now_ms
        self._sums: dict[tuple[str, str, int], _Sums] = {}
        families = harvest.folding.families
        self._with_tenants = {family.pattern for family in families if family.tenant_part is not None}

    def take(self, records: Iterable[Record], progress: Callable[[int], None]) -> None:
        """Add up all keys, and tell from time to time at which byte of the dump that is."""
        # Every line here is run for each key: a call to another function of ours would cost a tenth of the time.
        pattern_of, heads, separator = self.harvest.folding.pattern_of, *heads_of(self.harvest.folding)
        known, now_ms, left = self._sums, self._now_ms, 0
        for database, key, expiry, size, encoding, kind, place in records:
            if not left or database != self._database:
                self.settle()
                progress(place)
                self._database, left = database, SETTLE_EVERY
            left -= 1
            pattern = heads.get(key[: key.find(separator) + 1]) or pattern_of(key)
            sums = known.get((pattern, encoding, kind)) or self._new(pattern, encoding, kind)
            if expiry is None:
                sums.no_ttl += 1
                sums.staying += size
            elif expiry > now_ms:
                sums.expiries.append(expiry)
            else:
                sums.gone += 1
                continue
            sums.size += size
            if size > sums.floor:
                sums.add_large(size, key)
            if sums.tenants:
                self._add_tenant(key, encoding, size)
        self.settle()

    def settle(self) -> None:
        """Hand over what has come together: to the tally what is of the database that is meant."""
        found = self.databases.setdefault(self._database, Database()) if self._sums else Database()
        for (pattern, encoding, kind), sums in self._sums.items():
            expiring_fields = kind in EXPIRING_FIELDS
            expiring = len(sums.expiries) + sums.gone
            found.keys += sums.no_ttl + expiring
            found.expires += expiring
            found.volatile_items += sums.no_ttl + expiring if expiring_fields else 0
            if self.db in (None, self._database):
                self._settle(pattern, encoding, sums, expiring_fields=expiring_fields)
        self._sums.clear()

    def _new(self, pattern: str, encoding: str, kind: int) -> _Sums:
        tenants = self.harvest.folding.family_of(pattern) in self._with_tenants
        sums = self._sums[(pattern, encoding, kind)] = _Sums(tenants=tenants)
        return sums

    def _add_tenant(self, key: bytes, encoding: str, size: float) -> None:
        tenant = self.harvest.folding.tenant_of(key)
        if tenant is not None:
            self.harvest.add_tenant(tenant, 1, round(self._calibration.correct(encoding, 1, size)))

    def _settle(self, pattern: str, encoding: str, sums: _Sums, *, expiring_fields: bool) -> None:
        tally = self.harvest.tally.of(pattern)
        keys = sums.no_ttl + len(sums.expiries)
        self.harvest.seen += keys + sums.gone
        self.expired += sums.gone
        tally.gone += sums.gone
        tally.count += keys
        tally.ttl_known += keys
        tally.no_ttl += sums.no_ttl
        tally.expiring_fields += keys if expiring_fields else 0
        tally.memory_known += keys
        tally.memory_bytes += round(self._calibration.correct(encoding, keys, sums.size))
        tally.no_ttl_bytes += round(self._calibration.correct(encoding, sums.no_ttl, sums.staying))
        kind, name = encoding.split("/")
        tally.types_known += keys
        tally.types[kind] += keys
        tally.encodings[encoding] += keys
        _add_expiries(tally, sums.expiries, self._now_ms)
        for size, key in sums.largest:
            text = self.harvest.name_of(key)
            tally.add_sample(text)
            corrected = round(self._calibration.correct(encoding, 1, size))
            tally.add_large(KeySize(key=text, memory_bytes=corrected, type=kind, encoding=name, samples=0))


def _add_expiries(tally: PatternTally, expiries: list[int], now_ms: int) -> None:
    """Add times of expiry up, a bucket at a time: they are sorted faster than they are put into buckets one by one."""
    if not expiries:
        return
    expiries.sort()
    least, most = expiries[0] - now_ms, expiries[-1] - now_ms
    tally.ttl_sum += sum(expiries) - now_ms * len(expiries)
    tally.ttl_min = least if tally.ttl_min is None else min(least, tally.ttl_min)
    tally.ttl_max = most if tally.ttl_max is None else max(most, tally.ttl_max)
    first = 0
    while first < len(expiries):
        bucket = bucket_of(expiries[first] - now_ms)
        after = bisect_left(expiries, bucket + 1, lo=first, key=lambda expiry: bucket_of(expiry - now_ms))
        tally.buckets[bucket] += after - first
        first = after


def heads_of(folding: Folding) -> tuple[dict[bytes, str], bytes]:
    """The families that are told by all up to the first separator, as most keys are; and the separator.

    `Folding.pattern_of` says the same of their keys, in five times the time.
    """
    if len(folding.separators) != 1:
        return {}, b":"
    separator = folding.separators
    prefixes = [family.prefix for family in folding.families]
    heads = {
        family.prefix.encode(): family.pattern
        for family in folding.families
        if family.prefix.find(separator) == len(family.prefix) - 1 and _stands_alone(family.prefix, prefixes)
    }
    return heads, separator.encode()


def _stands_alone(prefix: str, prefixes: Iterable[str]) -> bool:
    """Whether no other prefix begins with this one, or this one with it."""
    return sum(one.startswith(prefix) or prefix.startswith(one) for one in prefixes) == 1
