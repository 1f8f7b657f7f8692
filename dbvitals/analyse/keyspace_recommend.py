"""The guide's recommendations about a cache: one line for all findings of a rule, which names where and how much."""

from collections import defaultdict
from collections.abc import Iterable

from dbvitals.model import Finding, Recommendation

CACHE_CATEGORIES = {
    "RED001": ("hit_ratio", "Raise the TTL of stable data, precache what is asked for often, review invalidation"),
    "RED002": ("keys_without_ttl", "Write these keys with a TTL: without one they grow for ever"),
    "RED003": ("evictions", "Give Redis more memory, or let the largest patterns live shorter"),
    "RED004": ("ttl_too_long", "Shorten the TTL to what is declared, or correct the declaration"),
    "RED005": ("ttl_too_short", "Lengthen the TTL to what is declared, or correct the declaration"),
    "RED006": ("locks_without_ttl", "Take locks with their TTL in one command, and delete those whose holder is gone"),
    "RED007": ("unwanted_ttl", "Write these keys without TTL; PERSIST mends those that are there"),
    "RED008": (
        "eviction_policy",
        "Give cached keys a TTL, and Redis more memory before it is full",
    ),
    "RED009": ("giant_keys", "Split them over many keys; remove with UNLINK"),
    "RED010": ("unaccounted_memory", "Read the dump with --rdb, which measures every element"),
    "RED011": ("encodings", "Raise the limit of the compact encoding a little, or shorten the values"),
    "RED012": ("tenant_share", "Limit what one tenant may cache"),
    "RED013": ("fragmentation", "Give freed memory back with MEMORY PURGE, or restart in a quiet hour"),
    "RED014": ("other_databases", "Run again with --all-dbs"),
    "RED015": ("stampede", "Spread the TTLs by a random tenth, and let one reader refill"),
    "RED016": ("stale_keys", "Let the server look for expired keys more often"),
    "RED017": ("replica_lag", "Look at the replica and the network before a failover is needed"),
    "RED018": ("evictable_locks", "Keep locks and state on a Redis of their own, with noeviction"),
    "RED019": ("maxmemory", "Set maxmemory below the machine's memory"),
    "RED020": ("growing_patterns", "Write these keys with a TTL, or declare their family"),
    "RED021": ("never_read", "Cache on the second request only, or leave these values out"),
    "RED022": ("pattern_hit_ratio", "Let these values live longer, or fill them before they are asked for"),
    "RED023": ("ttl_suggestion", "Set the longer TTL, if data of that age will do"),
    "RED024": ("persistence", "Mend what keeps the server from saving: its log names it"),
}
"""Category and advice of each rule."""


def recommend_cache(findings: Iterable[Finding]) -> tuple[Recommendation, ...]:
    """One recommendation a rule that has findings, with the severity of its worst one."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    found = [_recommendation(rule, group) for rule, group in by_rule.items()]
    return tuple(sorted(found, key=lambda advice: (advice.severity.rank, advice.category)))


def _recommendation(rule: str, group: list[Finding]) -> Recommendation:
    category, action = CACHE_CATEGORIES[rule]
    worst = min(group, key=lambda finding: finding.sort_key)
    more = f"; and {len(group) - 1} more like it" if len(group) > 1 else ""
    return Recommendation(
        severity=worst.severity,
        category=category,
        message=f"{worst.subject.name}: {worst.message}{more}",
        action=action,
    )
