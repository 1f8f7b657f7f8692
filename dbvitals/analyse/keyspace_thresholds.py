"""The numbers that decide about a keyspace: each with its default and its reason. `[tool.dbvitals.cache]` sets them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheThresholds:
    """Settings of the cache analysis; sizes are bytes, times seconds, shares percent."""

    hit_ratio_min_percent: float = 70.0
    """The guide's target; below 50 it calls the cache not effective."""

    hit_ratio_poor_percent: float = 50.0
    """The guide's threshold for a cache that does not work."""

    hit_ratio_min_reads: int = 100
    """Fewer reads say nothing: the interval around their ratio is wider than ten points on either side."""

    ttl_min_keys: int = 20
    """With fewer keys the largest remaining TTL tells little about the one that is set; nor do fewer of a sample tell
    that many expire together."""

    no_ttl_min_keys: int = 1000
    """Undeclared keys without TTL are worth a word from here on; a handful is somebody's configuration."""

    giant_bytes: int = 1024 * 1024
    """A key of a mebibyte takes milliseconds to read, copy or delete, while all others wait."""

    giant_percent: float = 5.0
    """A single key with such a share of the memory lies on one node of a cluster, whatever is added."""

    giant_high_bytes: int = 64 * 1024 * 1024
    """Of a single key, or of all keys together: on a smaller server even its only large key is no matter of urgency."""

    tenant_percent: float = 50.0
    """One tenant with half of the memory evicts the others' keys."""

    tenant_factor: float = 1.5
    """Times what it would have if all had the same: of two tenants one has half of the memory anyway."""

    tenant_min_bytes: int = 4 * 1024 * 1024
    """A few mebibytes evict nobody's keys, whosever they are."""

    fragmentation_ratio: float = 1.5
    """Redis's own documentation: above this, memory is lost to holes."""

    fragmentation_min_bytes: int = 100 * 1024 * 1024
    """On small servers the ratio is the program itself."""

    full_percent: float = 80.0
    """Of maxmemory: what is above will be full at the next peak."""

    machine_percent: float = 75.0
    """Of the machine's memory: no higher limit is proposed. The rest is the system's, and what a save copies."""

    stampede_per_second: float = 200.0
    """Keys of one family that expire in the same second: about what a backend of this size is asked for at its peak."""

    stampede_factor: float = 8.0
    """Times the rate at which they would expire if they were spread evenly."""

    stale_percent: float = 10.0
    """Expired keys that still occupy memory; Redis itself works harder above this (`expired_stale_perc`)."""

    stale_min_keys: int = 1000
    """Fewer expire while they are counted, where keys live for milliseconds."""

    lag_seconds: float = 30.0
    """A replica hears from its primary every 10 s (`repl-ping-replica-period`); the link times out at 60."""

    ack_seconds: float = 10.0
    """A replica acknowledges what it has once a second, whether there are writes or not."""

    lag_bytes: int = 10 * 1024 * 1024
    """More than this behind, and a failover loses it."""

    unaccounted_percent: float = 20.0
    """Of large collections, beside 100 bytes a key for hash tables and TTL entries: MEMORY USAGE itself leaves out up
    to 15 % of sorted sets."""

    unaccounted_exact_percent: float = 3.0
    """Of strings, and of collections in a compact encoding, which MEMORY USAGE measures whole: 1 % and less was
    seen."""

    unaccounted_min_bytes: int = 4 * 1024 * 1024
    """Below it may be the server's own bookkeeping: 24 KiB of latencies for each command that was ever called, say."""

    encoding_bytes: int = 4096
    """A collection below this would fit in a compact encoding, were its limits a little higher."""

    never_read_percent: float = 50.0
    """More than half of what is cached is never asked for: it costs its writing and its memory."""

    patterns: int = 40
    """Discovered patterns that get a row of their own."""
