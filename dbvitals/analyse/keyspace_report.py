"""The report of `dbvitals cache`: the sections of .playbook/redis_analysis.json, as specified in docs/schemas."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from dbvitals.model import Finding, Recommendation, Severity, Skipped, Target, Tool
from dbvitals.snapshot_keyspace import Counters

SCHEMA_VERSION = "1.0"

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time, with its offset: RFC 3339 in JSON."""


class Window(Struct, frozen=True, kw_only=True):
    """What the counters of `summary` cover: since the server's start, a window, or since a saved snapshot.

    `own_hits` and `own_misses` were caused by dbvitals within it, and are subtracted. `unusable` names nodes whose
    counters were reset, or that failed over, or of which tools have read that are not known, so that they are left out.
    """

    source: Literal["start", "window", "saved"]
    since: Moment | None
    seconds: float | None
    own_hits: int
    own_misses: int
    unusable: tuple[str, ...]


class CoverageReport(Struct, frozen=True, kw_only=True):
    """How much was seen, of the nodes `keys_from`.

    `confidence` says in words whether the figures may be trusted; `trusted` whether they are those of all keys, or
    stand for them. `keys_before` and `keys_after` are DBSIZE: what was born in between, and what vanished, may be
    missing. `gone` vanished between SCAN and the look at the key. `error_percent`: half of the 95 % interval of the
    shares of memory, in percent points; None where it is no sample, or none to be trusted.
    """

    mode: Literal["full", "sample", "rdb"]
    method: Literal["script", "pipeline", "file"]
    keys_seen: int
    keys_before: int
    keys_after: int
    gone: int
    confidence: str
    trusted: bool = True
    keys_from: tuple[str, ...] = ()
    error_percent: float | None
    seconds: float
    seconds_on_server: float | None
    slowed_down: int


class CacheSummary(Struct, frozen=True, kw_only=True):
    """The guide's figures. `hit_ratio` is 0..1, None when there were no reads, with its 95 % interval.

    `counters_of` are the nodes that counted hits, misses and evictions. `keys_without_ttl` is INFO's where PTTL is
    denied, None where that tells nothing either. `evicted_keys` and `expired_keys` are None where no node's counters
    can be compared with those of before. `maxmemory_bytes` is 0 where one of the nodes has no limit.
    """

    hit_ratio: float | None
    hit_ratio_interval: tuple[float, float] | None
    hits: int
    misses: int
    window: Window
    counters_of: tuple[str, ...] = ()
    total_keys: int
    keys_without_ttl: int | None
    evicted_keys: int | None
    expired_keys: int | None
    used_memory_bytes: int
    maxmemory_bytes: int
    maxmemory_policy: str
    coverage: CoverageReport


class Memory(Struct, frozen=True, kw_only=True):
    """`measured_bytes` is the sum over all keys (MEMORY USAGE), `keyspace_bytes` what the server says that they take.

    `unaccounted_bytes` is the difference: hash tables, TTL entries, and what samples of collections have missed. None
    where not all keys were measured; so is `measured_bytes` where none was.
    """

    measured_bytes: int | None
    keyspace_bytes: int | None
    unaccounted_bytes: int | None


class Ttl(Struct, frozen=True, kw_only=True):
    """Seconds that are left, over keys that have a TTL; percentiles are right within 3 %."""

    avg: float | None
    min: float | None
    max: float | None
    p50: float | None
    p99: float | None


class LargeKey(Struct, frozen=True, kw_only=True):
    """A large key. Its name is masked unless --show-keys; `samples` elements were measured.

    `lopsided`: its first elements tell nothing of it, for a few others are much larger or smaller.
    """

    key: str
    memory_bytes: int
    type: str | None
    encoding: str | None
    samples: int
    lopsided: bool = False


class PatternReport(Struct, frozen=True, kw_only=True):
    """All keys of one pattern. `types` and `encodings` are shares 0..1 of a sample of its keys.

    `family` is the declared pattern whose expectation holds. `hit_ratio` comes from the service's own counters, None
    where there are none; `misses` from them or from notifications. `counted_seconds` is over what time these were
    counted, None since the service's start, or where nobody counted. `memory_error_percent` is that of a sample.
    `no_ttl_keys` are some that do not expire. `no_ttl` and memory are None where they may not be asked for.
    """

    pattern: str
    description: str
    family: str | None
    count: int
    ttl: Ttl
    no_ttl: int | None
    expiring_fields_percent: float
    memory_bytes: int | None
    memory_percent: float | None
    memory_error_percent: float | None
    types: dict[str, float]
    encodings: dict[str, float]
    largest_keys: tuple[LargeKey, ...]
    sample_keys: tuple[str, ...]
    no_ttl_keys: tuple[str, ...] = ()
    hit_ratio: float | None
    hits: int | None
    misses: int | None
    counted_seconds: float | None = None
    never_read_percent: float | None


class TenantReport(Struct, frozen=True, kw_only=True):
    """What one tenant has of the keys whose names carry one; the name is masked unless --show-keys.

    Memory is None where it may not be asked for.
    """

    tenant: str
    keys: int
    memory_bytes: int | None
    memory_percent: float | None


class NodeReport(Struct, frozen=True, kw_only=True):
    """A server that was looked at."""

    name: str
    role: Literal["primary", "replica"]
    version: str
    uptime_seconds: int
    used_memory_bytes: int
    maxmemory_bytes: int
    maxmemory_policy: str
    fragmentation_ratio: float | None


class CacheReport(Struct, frozen=True, kw_only=True):
    """The whole report.

    Declared patterns come first, then those without keys that were asked for, discovered ones by memory, and `other`.
    `counters` are those of the primaries when this run had ended, with what dbvitals had read up to then: the next run
    subtracts it. `tenants` are the largest of at least `tenants_seen`.
    """

    schema_version: str
    tool: Tool
    generated_at: Moment
    duration_seconds: float
    target: Target
    summary: CacheSummary
    memory: Memory
    nodes: tuple[NodeReport, ...]
    counters: tuple[Counters, ...] = ()
    patterns: tuple[PatternReport, ...]
    tenants: tuple[TenantReport, ...]
    tenants_seen: int = 0
    findings: tuple[Finding, ...]
    recommendations: tuple[Recommendation, ...]
    incomplete: tuple[Skipped, ...]

    @property
    def place(self) -> str:
        """Where the Redis listens, or which file it is: a socket and a dump have a path, and no port."""
        host, port = self.target.host, self.target.port
        if "/" in host or self.summary.coverage.mode == "rdb":
            return host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None when there is none."""
        return min((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)
