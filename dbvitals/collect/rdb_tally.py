"""Adds the keys of a dump up by pattern."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from dbvitals.analyse.key_tally import STAYING
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.keyspace_sums import SETTLE_EVERY, Sums
from dbvitals.collect.rdb_calibration import Calibration
from dbvitals.collect.rdb_records import EXPIRING_FIELDS, Record
from dbvitals.snapshot_keyspace import KeySize


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
        self._heads, self._separator = harvest.folding.heads()
        self._sums: dict[tuple[str, str, int], Sums] = {}
        self._by_head: dict[tuple[bytes, str, int], Sums] = {}

    def take(self, records: Iterable[Record], progress: Callable[[int], None]) -> None:
        """Add up all keys, and tell from time to time at which byte of the dump that is."""
        # Every line here is run for each key: a call to another function of ours would cost a tenth of the time.
        separator = self._separator
        by_head, now_ms, left, current = self._by_head, self._now_ms, 0, -1
        for database, key, expiry, size, encoding, kind, place in records:
            if not left or database != current:
                self.settle()
                progress(place)
                self._database = current = database
                left = SETTLE_EVERY
            left -= 1
            sums = by_head.get((key[: key.find(separator) + 1], encoding, kind)) or self._sums_of(key, encoding, kind)
            if expiry is None:
                if sums.no_ttl < STAYING:
                    sums.without_ttl.append(key)
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
            if sums.tenanted is not None:
                sums.tenanted.append((key, size))
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
        self._by_head.clear()

    def _sums_of(self, key: bytes, encoding: str, kind: int) -> Sums:
        head = key[: key.find(self._separator) + 1]
        pattern = self._heads.get(head) or self.harvest.folding.pattern_of(key)
        sums = self._sums.get((pattern, encoding, kind))
        if sums is None:
            tenanted = self.harvest.folding.tells_tenants(pattern)
            sums = self._sums[pattern, encoding, kind] = Sums(tenanted=tenanted)
        if head in self._heads:
            self._by_head[head, encoding, kind] = sums
        return sums

    def _settle(self, pattern: str, encoding: str, sums: Sums, *, expiring_fields: bool) -> None:
        tally = self.harvest.tally.of(pattern)
        keys = sums.no_ttl + len(sums.expiries)
        self.harvest.seen += keys + sums.gone
        self.expired += sums.gone
        tally.gone += sums.gone
        tally.count += keys
        tally.ttl_known += keys
        tally.no_ttl += sums.no_ttl
        tally.no_ttl_asked += sums.no_ttl
        tally.no_ttl_expiring += sums.no_ttl if expiring_fields else 0
        tally.expiring_fields += keys if expiring_fields else 0
        tally.memory_known += keys
        tally.memory_bytes += round(self._calibration.correct(encoding, keys, sums.size))
        tally.no_ttl_bytes += round(self._calibration.correct(encoding, sums.no_ttl, sums.staying))
        kind, name = encoding.split("/")
        tally.types_known += keys
        tally.types[kind] += keys
        tally.encodings[encoding] += keys
        for key in sums.without_ttl if not expiring_fields else ():
            tally.add_staying(self.harvest.name_of(key))
        tally.add_expiries(sums.expiries, self._now_ms)
        tally.add_moments(sums.expiries)
        if sums.tenanted:
            self.harvest.add_tenants(pattern, sums.tenanted, partial(self._calibration.correct, encoding))
        for size, key in sums.largest:
            text = self.harvest.name_of(key)
            tally.add_sample(text)
            corrected = round(self._calibration.correct(encoding, 1, size))
            tally.add_large(KeySize(key=text, memory_bytes=corrected, type=kind, encoding=name, samples=0))
