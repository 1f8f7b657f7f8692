"""The numbers that decide about indexes: each with its default and its reason. `[tool.dbvitals.indexes]` sets them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexThresholds:
    """Settings of the index analysis; sizes are bytes, shares percent."""

    min_observed_days: float = 7.0
    """An index unused for less is not judged: weekly jobs must have had their turn."""

    oversized_bytes: int = 100 * 1024 * 1024
    """The guide's: indexes over 100 MB should be reviewed for necessity."""

    bloat_min_bytes: int = 8 * 1024 * 1024
    """Less than this is not worth a REINDEX."""

    bloat_min_percent: float = 50.0
    """A B-tree under random inserts settles at about two thirds full; only what is well beyond that is bloat."""

    prefix_max_size_ratio: float = 3.0
    """A narrow index that is used is only worth dropping for a wider one that is not much larger than it."""

    foreign_key_min_rows: int = 10_000
    """Scanning a smaller referencing table for every change of a parent row costs less than a millisecond or so."""

    workload_min_rows: int = 10_000
    """Sequential scans of smaller tables are often the best plan."""

    workload_min_calls: int = 50
    """A statement that ran less often is an occasion, not a workload."""

    workload_min_mean_ms: float = 2.0
    """A statement faster than this on average has nothing to gain that a person would notice."""

    skewed_hash_max_distinct: int = 100
    """A hash index with fewer distinct keys is long overflow chains."""
