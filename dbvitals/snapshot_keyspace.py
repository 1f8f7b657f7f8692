r"""What was seen of a Redis: its nodes, and its keys added up by pattern. Collectors make it, analysers read it.

Names of keys are text here: bytes that are not printable UTF-8 are written as `\xNN`, a backslash as two (see
`dbvitals.analyse.key_names`), and they are masked unless the user asked for them. Times to live are milliseconds.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dbvitals.model import Skipped
from dbvitals.snapshot_misses import MissesAfterExpiry

KEYSPACE_VERSION = "1.0"

Role = Literal["primary", "replica"]

Link = Literal["up", "down", "copying", "never"]
"""A replica's link to its primary. Until it has been up for the first time, what lies there is not the primary's:
`copying` while a first copy is being made, else `never`."""


class DatabaseInfo(Struct, frozen=True, kw_only=True):
    """One logical database of a node, by INFO keyspace. `volatile_items`: keys of which parts expire (hash fields)."""

    index: int
    keys: int
    expires: int
    volatile_items: int = 0


class Looks(Struct, frozen=True, kw_only=True):
    """Calls of the commands by which dbvitals and other tools look at keys; `fields`: HRANDFIELD and HPTTL.

    All but `memory` count as hits or misses. Services use PTTL at the most.
    """

    pttl: int = 0
    type: int = 0
    object: int = 0
    memory: int = 0
    fields: int = 0

    @property
    def inspections(self) -> int:
        """Those of which services make none."""
        return self.type + self.object + self.memory

    @property
    def reads(self) -> int:
        """Those that count as hits or misses."""
        return self.pttl + self.type + self.object + self.fields


class Counters(Struct, frozen=True, kw_only=True):
    """A node's counters at one moment. They begin at 0 with the server's start, or with CONFIG RESETSTAT.

    `own_hits` and `own_misses` are those that dbvitals itself had caused on the node up to then: in this run, and in
    those that this one knows of. `looks` are anybody's, None where the server does not tell; `own_looks` those runs'.
    """

    node: str
    run_id: str
    at: datetime
    uptime_seconds: int
    hits: int
    misses: int
    evicted_keys: int
    expired_keys: int
    own_hits: int = 0
    own_misses: int = 0
    looks: Looks | None = None
    own_looks: Looks = Looks()


class ReplicaInfo(Struct, frozen=True, kw_only=True):
    """A replica as its primary knows it, with its copy made. `silent_seconds`: since it acknowledged anything."""

    name: str
    behind_bytes: int | None
    silent_seconds: float | None


class NodeInfo(Struct, frozen=True, kw_only=True):
    """A server, by INFO before anything else was read. Sizes are bytes; None is what it did not tell.

    `keyspace_bytes` is what is left of `used_memory` without buffers, scripts and the empty server: the keys, with
    the tables that hold them. `expired_stale_percent` is the server's own estimate of keys that have expired and still
    occupy memory. `config` holds the settings that are judged, as far as CONFIG GET was allowed.

    `uncounted_memory` is the part of `used_memory` that `maxmemory` does not limit, `machine_memory` what the machine
    has. `oom_errors` are commands that were refused for want of memory since the counters began. `lag_bytes`,
    `lag_seconds` (since it heard anything), `link` and `link_down_seconds` are a replica's own view of its primary,
    `replicas` a primary's of those that are online. `writes_refused`: it says so itself, for it cannot save.
    """

    name: str
    host: str
    port: int
    role: Role
    product: str
    version: str
    mode: Literal["standalone", "sentinel", "cluster"]
    process_seconds: int
    used_memory: int
    peak_memory: int | None
    keyspace_bytes: int | None
    maxmemory: int
    maxmemory_policy: str
    fragmentation_ratio: float | None
    fragmentation_bytes: int | None
    expired_stale_percent: float | None
    lag_bytes: int | None
    lag_seconds: float | None
    databases: tuple[DatabaseInfo, ...]
    config: dict[str, str]
    uncounted_memory: int = 0
    machine_memory: int | None = None
    oom_errors: int = 0
    allocator: str = ""
    allocator_fragmentation_ratio: float | None = None
    allocator_fragmentation_bytes: int | None = None
    link: Link = "up"
    link_down_seconds: float | None = None
    replicas: tuple[ReplicaInfo, ...] = ()
    append_only: bool = False
    save_failed: bool = False
    append_failed: bool = False
    unsaved_changes: int | None = None
    writes_refused: bool = False


class KeySize(Struct, frozen=True, kw_only=True):
    """One large key. `samples` is how many of its elements were measured; 0: all that there are.

    `lopsided`: the first few elements tell of half or less of it, or of twice as much or more.
    """

    key: str
    memory_bytes: int
    type: str | None = None
    encoding: str | None = None
    samples: int = 5
    lopsided: bool = False


class PatternStats(Struct, frozen=True, kw_only=True):
    """All keys of one pattern, added up; see `dbvitals.analyse.key_tally` for how.

    `family` is the declared pattern whose expectation holds for these keys. `count` are the keys that SCAN returned and
    that were still there; `gone` had vanished since (neither with TTL nor without), `forbidden` may not be read.
    `no_ttl` is exact over `ttl_known` keys. `ttl_buckets` counts times to live by logarithmic bucket
    (`key_tally.bucket_of`). `memory_bytes` is the sum over `memory_known` keys, `no_ttl_bytes` over those
    without TTL. `types` and `encodings` (`hash/listpack`) are over `types_known` keys, `expiring_fields` are those of
    them that hold fields with a TTL. Of the keys without TTL, `no_ttl_asked` were asked for theirs, and
    `no_ttl_expiring` hold nothing else: they go away as well.
    `largest` begins with the largest key; further ones that are no giants may be missing. `staying` are names of keys
    without TTL. `ttl_peaks`: the seconds since 1970 in which the most keys expire, and how many at least.
    """

    pattern: str
    family: str | None
    count: int
    gone: int = 0
    forbidden: int = 0
    ttl_known: int = 0
    no_ttl: int = 0
    no_ttl_asked: int = 0
    no_ttl_expiring: int = 0
    ttl_sum_ms: int = 0
    ttl_min_ms: int | None = None
    ttl_max_ms: int | None = None
    ttl_buckets: dict[int, int]
    memory_known: int = 0
    memory_bytes: int = 0
    no_ttl_bytes: int = 0
    types_known: int = 0
    types: dict[str, int]
    encodings: dict[str, int]
    expiring_fields: int = 0
    largest: tuple[KeySize, ...] = ()
    samples: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()
    ttl_peaks: dict[int, int] = {}


class TenantMemory(Struct, frozen=True, kw_only=True):
    """Keys and bytes of one tenant; `tenant` is masked like a key."""

    tenant: str
    keys: int
    memory_bytes: int


class PatternLookups(Struct, frozen=True, kw_only=True):
    """Looks for the keys of one pattern, as far as `source` can tell.

    The service's own counters know hits and misses, notifications (`keymiss`) only misses.
    """

    pattern: str
    source: Literal["client", "keymiss"]
    hits: int | None
    misses: int
    seconds: float | None


class NeverRead(Struct, frozen=True, kw_only=True):
    """How many of the `judged` keys of one pattern were not read later than some seconds after they were written."""

    pattern: str
    judged: int
    never_read: int


class Coverage(Struct, frozen=True, kw_only=True):
    """How much of the keyspace was seen. `keys_before` and `keys_after` are DBSIZE around the pass.

    `ended`: `complete`, or what stopped the pass early. `topology_changed`: slots moved or a node failed over
    meanwhile, so that keys may have been seen twice or never. `nodes_missing`: parts of a cluster that could not be
    read at all. `seconds_on_server` is what the slices took there, `slowed_down` how often the pass held back because
    the server answered late.
    """

    mode: Literal["full", "sample", "rdb"]
    method: Literal["script", "pipeline", "file"]
    ended: Literal["complete", "max-seconds", "interrupted", "lost"]
    keys_seen: int
    keys_before: int
    keys_after: int
    topology_changed: bool = False
    nodes_missing: int = 0
    seconds: float
    seconds_on_server: float | None = None
    slowed_down: int = 0


class SampledKey(Struct, frozen=True, kw_only=True):
    """One key of a random sample: what the error bar is made from."""

    pattern: str
    memory_bytes: int


class KeyspaceSnapshot(Struct, frozen=True, kw_only=True):
    """What was seen of one Redis, Sentinel group, cluster, or dump. Patterns are sorted by name.

    `tenants` are the largest of at least `tenants_seen`. `before` and `after` are the primaries' counters at the
    beginning and at the end. `window_seconds` is what was asked for; None: the counters since the server's start are
    meant, as they were before we read anything. `sample` is empty unless the mode is `sample`. `names_shown`: names of
    keys are as they are, for somebody asked for that.
    """

    snapshot_version: str
    source: str
    database: str
    user: str
    taken_at: datetime
    nodes: tuple[NodeInfo, ...]
    coverage: Coverage
    patterns: tuple[PatternStats, ...]
    tenants: tuple[TenantMemory, ...] = ()
    tenants_seen: int = 0
    before: tuple[Counters, ...] = ()
    after: tuple[Counters, ...] = ()
    window_seconds: float | None = None
    lookups: tuple[PatternLookups, ...] = ()
    after_expiry: tuple[MissesAfterExpiry, ...] = ()
    never_read: tuple[NeverRead, ...] = ()
    sample: tuple[SampledKey, ...] = ()
    names_shown: bool = False
    skipped: tuple[Skipped, ...] = ()
