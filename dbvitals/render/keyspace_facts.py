"""The figures of a whole cache in lines: which server, how much was seen, hits, memory, what is gone."""

from dbvitals.analyse.keyspace_report import CacheReport, CacheSummary
from dbvitals.analyse.keyspace_words import since
from dbvitals.render.text import UNKNOWN, moment, plural, size


def title(report: CacheReport) -> str:
    """Of which Redis, or dump, a report is."""
    return f"Cache of {report.place}, database {report.target.database}"


def ratio(share: float | None) -> str:
    """A ratio 0..1 in percent."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def facts(report: CacheReport) -> tuple[tuple[str, str], ...]:
    """Label and value of each line."""
    target, summary = report.target, report.summary
    seen = f"{moment(report.generated_at)}, in {report.duration_seconds:.1f} s"
    keys = f"{_keys(summary)}; {_coverage(summary)}"
    if summary.coverage.mode == "rdb":
        return (
            ("Dump", f"{target.host}, written by {target.server_version}"),
            ("Seen", seen),
            ("Keys", keys),
            ("Memory", f"{size(report.memory.measured_bytes)} for the keys"),
        )
    server = f"{target.server_version} on {report.place}, {target.role}, as {target.user}"
    return (
        ("Server", server + (f", {len(report.nodes)} nodes" if len(report.nodes) > 1 else "")),
        *_read_from(summary),
        ("Seen", seen),
        ("Keys", keys),
        ("Hit ratio", _hit_ratio(summary)),
        ("Memory", _memory(report)),
        ("Gone", _gone(summary)),
    )


def _read_from(summary: CacheSummary) -> tuple[tuple[str, str], ...]:
    """Which nodes the figures are of, where keys and counters are not those of the same."""
    keys, counters = summary.coverage.keys_from, summary.counters_of
    if keys == counters:
        return ()
    return (("Read", f"keys from {', '.join(keys) or 'nowhere'}, counters of {', '.join(counters) or 'none'}"),)


def _keys(summary: CacheSummary) -> str:
    coverage = summary.coverage
    there = f" of {coverage.keys_before:,} by DBSIZE" if not coverage.trusted and coverage.mode == "full" else ""
    staying = summary.keys_without_ttl
    without = "it is not known how many without TTL" if staying is None else f"of which {staying:,} without TTL"
    return f"{summary.total_keys:,}{there}, {without}"


def _coverage(summary: CacheSummary) -> str:
    coverage = summary.coverage
    server = "" if coverage.seconds_on_server is None else f", {coverage.seconds_on_server:.2f} s of the server's time"
    slow = f", held back {plural(coverage.slowed_down, 'time')}" if coverage.slowed_down else ""
    error = "" if coverage.error_percent is None else f", ± {coverage.error_percent:.1f} points"
    return (
        f"{coverage.confidence}{error} ({plural(coverage.keys_seen, 'key')} in {coverage.seconds:.1f} s{server}{slow})"
    )


def _hit_ratio(summary: CacheSummary) -> str:
    reads, span = summary.hits + summary.misses, since(summary.window.source, summary.window.seconds)
    if summary.hit_ratio is None or summary.hit_ratio_interval is None:
        return f"not known {span}" if summary.window.unusable else f"no reads {span}"
    low, high = summary.hit_ratio_interval
    own = summary.window.own_hits + summary.window.own_misses
    mine = f", without {own:,} of our own" if own else ""
    share = f"{ratio(summary.hit_ratio)} ({100 * low:.1f} to {100 * high:.1f})"
    return f"{share} of {reads:,} reads {span}{mine}"


def _gone(summary: CacheSummary) -> str:
    """Evictions and expiries; without counters that can be compared nobody knows, which is not none."""
    if summary.evicted_keys is None or summary.expired_keys is None:
        return f"not known {since(summary.window.source, None)}"
    return f"{plural(summary.evicted_keys, 'key')} evicted, {summary.expired_keys:,} expired"


def _memory(report: CacheReport) -> str:
    summary, memory = report.summary, report.memory
    limit = f"of {size(summary.maxmemory_bytes)}" if summary.maxmemory_bytes else "without limit"
    known = summary.coverage.trusted and memory.unaccounted_bytes is not None
    rest = f", {size(memory.unaccounted_bytes)} beside them" if known else ""
    keys = (
        "sizes of keys not known" if memory.measured_bytes is None else f"keys measured {size(memory.measured_bytes)}"
    )
    return f"{size(summary.used_memory_bytes)} {limit}, {summary.maxmemory_policy}; {keys}{rest}"
