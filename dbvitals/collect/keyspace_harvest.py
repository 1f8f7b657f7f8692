"""What the passes over the nodes of one Redis have brought in so far."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dbvitals.analyse.key_names import text_of
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import KeyspaceTally, PatternTally
from dbvitals.snapshot_keyspace import KeySize, SampledKey, TenantMemory

GIANTS = 64
"""The largest keys of all, which are measured again, more closely."""

GIANT_LEAST = 16 * 1024
"""Bytes: what is smaller is no giant, in whatever company."""

TENANTS = 10_000
"""Tenants that are told apart; the keys of the smallest beyond are no longer shown."""

TENANTS_SHOWN = 100

Correct = Callable[[int, float], float]
"""What is made of the bytes of so many keys."""


def _unchanged(keys: int, size: float) -> float:
    return size


@dataclass(frozen=True, slots=True, order=True)
class Giant:
    """A large key, and where it is."""

    memory_bytes: int
    node: str
    db: int
    key: bytes
    pattern: str
    stays: bool
    """Without a time to live."""


@dataclass(slots=True)
class OwnReads:
    """Hits and misses that we caused on a node ourselves."""

    hits: int = 0
    misses: int = 0


@dataclass(slots=True)
class Harvest:
    """Sums by pattern and tenant, the largest keys, and what it cost. Names are masked unless `show_keys`."""

    folding: Folding
    show_keys: bool
    tally: KeyspaceTally = field(init=False)
    seen: int = 0
    server_us: int = 0
    own: dict[str, OwnReads] = field(default_factory=dict)
    giants: list[Giant] = field(default_factory=list)
    tenants: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    sample: list[SampledKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tally = KeyspaceTally(self.folding, names_shown=self.show_keys)

    @property
    def giant_bytes(self) -> int:
        """What a key must have to be among the giants."""
        return max(GIANT_LEAST, self.giants[0].memory_bytes if len(self.giants) >= GIANTS else 0)

    def add_giant(self, giant: Giant) -> None:
        """Keep a key when it is among the largest of all."""
        if giant in self.giants:
            return
        heapq.heappush(self.giants, giant)
        if len(self.giants) > GIANTS:
            heapq.heappop(self.giants)

    def add_name(self, tally: PatternTally, key: bytes, memory_bytes: int) -> None:
        """Keep a key's name, and its size where it is known, among those of its pattern, if it is worth it."""
        if not tally.wants(memory_bytes):  # writing a name takes longer than all else that is done for a key
            return
        name = self.name_of(key)
        tally.add_sample(name)
        if memory_bytes > 0:
            tally.add_large(KeySize(key=name, memory_bytes=memory_bytes))

    def add_tenants(self, pattern: str, keys: Iterable[tuple[bytes, float]], correct: Correct = _unchanged) -> None:
        """Add keys of a pattern, with their bytes, to what their tenants have."""
        found: dict[bytes | None, tuple[int, float]] = {}
        tenant_of, nothing = self.folding.tenant_of, (0, 0.0)
        for key, size in keys:
            tenant = tenant_of(key, pattern)
            number, sizes = found.get(tenant, nothing)
            found[tenant] = (number + 1, sizes + size)
        for tenant, (number, sizes) in found.items():
            if tenant is not None:
                self.add_tenant(tenant, number, round(correct(number, sizes)))
        if len(self.tenants) > 2 * TENANTS:
            floor = sorted(memory_bytes for _, memory_bytes in self.tenants.values())[-TENANTS]
            large = {tenant: has for tenant, has in self.tenants.items() if has[1] > floor}
            level = sorted(tenant for tenant, has in self.tenants.items() if has[1] == floor)
            self.tenants = large | {tenant: self.tenants[tenant] for tenant in level[: TENANTS - len(large)]}

    def add_tenant(self, tenant: bytes, keys: int, memory_bytes: int) -> None:
        """Add to what a tenant has."""
        known_keys, known_bytes = self.tenants.get(tenant, (0, 0))
        self.tenants[tenant] = (known_keys + keys, known_bytes + memory_bytes)

    def add_own(self, node: str, hits: int, misses: int) -> None:
        """Note what we caused."""
        reads = self.own.setdefault(node, OwnReads())
        reads.hits += hits
        reads.misses += misses

    def note_errors(self, errors: Mapping[str, str]) -> None:
        """Keep the first error of each command."""
        self.errors = {**errors, **self.errors}

    def name_of(self, key: bytes) -> str:
        """Write a name as it may be shown."""
        return text_of(key if self.show_keys else self.folding.masked(key))

    def tenant_shares(self) -> tuple[TenantMemory, ...]:
        """The largest tenants, first the largest."""
        shares = sorted(self.tenants.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
        return tuple(
            TenantMemory(tenant=self.name_of(tenant), keys=keys, memory_bytes=memory_bytes)
            for tenant, (keys, memory_bytes) in shares[:TENANTS_SHOWN]
        )
