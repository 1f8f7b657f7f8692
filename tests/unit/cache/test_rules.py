"""Each rule of the cache analysis: what sets it off, and what does not."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from msgspec import structs

from dbvitals.analyse.key_tally import bucket_of
from dbvitals.analyse.keyspace_recommend import CACHE_CATEGORIES
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.cli.cache import cache
from dbvitals.expect import KeyFamily
from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, KeySize, NeverRead, PatternLookups, TenantMemory
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import counters, found, node, report, snapshot, stats

ROOT = Path(__file__).resolve().parents[3]
RULE = re.compile(r"RED\d{3}")
MIB = 1024 * 1024


def test_a_low_hit_ratio_is_said_once_it_is_sure_red001() -> None:
    assert found("RED001", snapshot(before=(counters(hits=600, misses=400),)))[0].severity is Severity.MEDIUM
    assert found("RED001", snapshot(before=(counters(hits=400, misses=600),)))[0].severity is Severity.HIGH
    assert not found("RED001", snapshot(before=(counters(hits=800, misses=200),)))
    assert not found("RED001", snapshot(before=(counters(hits=30, misses=50),)))
    assert not found("RED001", snapshot(before=(counters(hits=68, misses=32),)))
    assert not found("RED001", snapshot(before=(counters(),)))


def test_the_guides_warning_names_locks_where_there_are_some_red001() -> None:
    (finding,) = found("RED001", snapshot(before=(counters(hits=600, misses=400),)))
    assert "counter, lock, state keys count as well" in finding.message
    only_cache = (KeyFamily(pattern="a:*", description="a"),)
    (finding,) = found("RED001", snapshot(before=(counters(hits=600, misses=400),)), families=only_cache)
    assert "count as well" not in finding.message


def test_keys_without_ttl_are_wrong_where_the_family_expires_red002() -> None:
    seen = snapshot(stats("session:*", [-1] * 3 + [9_000]), stats("tenant:*", [-1] * 50))
    (finding,) = found("RED002", seen)
    assert (finding.subject.name, finding.severity) == ("session:*", Severity.HIGH)
    assert finding.message.startswith("3 keys without TTL")
    assert {evidence.name: evidence.value for evidence in finding.evidence} == {"keys": 3, "without TTL": 75.0}


def test_a_family_behind_a_tenant_is_held_to_the_same_red002() -> None:
    seen = snapshot(stats("*:session:*", [-1] * 3, family="session:*"))
    assert [finding.subject.name for finding in found("RED002", seen)] == ["*:session:*"]


def test_fields_that_expire_are_a_ttl_red002_trap_23() -> None:
    assert not found("RED002", snapshot(stats("session:*", [-1] * 80, types_known=10, expiring_fields=10)))
    (finding,) = found("RED002", snapshot(stats("session:*", [-1] * 80, types_known=10, expiring_fields=5)))
    assert finding.evidence[0].value == 40


@pytest.mark.parametrize(("policy", "severity"), [("volatile-ttl", Severity.MEDIUM), ("allkeys-lru", Severity.HIGH)])
def test_evictions_are_worse_where_locks_are_among_them_red003(policy: str, severity: Severity) -> None:
    seen = snapshot(
        stats("tenant:*", [-1] * 9),
        stats("lock:*", [-1]),
        nodes=(node(maxmemory_policy=policy),),
        before=(counters(evicted_keys=1_234),),
    )
    (finding,) = found("RED003", seen)
    assert (finding.severity, finding.evidence[0].value) == (severity, 1_234)
    assert not found("RED003", snapshot(stats("tenant:*", [-1])))


def test_a_ttl_beyond_the_declared_one_red004() -> None:
    (finding,) = found("RED004", snapshot(stats("availability:*", [100_000] * 20 + [9_000_000] * 2)))
    assert finding.message == "about 2 keys with up to 2 h to live, 30 min at most is declared"
    assert finding.action is not None
    assert "pms_cache.py" in finding.action.statement
    assert not found("RED004", snapshot(stats("availability:*", [1_800_000] * 20)))


def test_a_ttl_below_the_declared_one_needs_many_keys_red005() -> None:
    assert found("RED005", snapshot(stats("availability:*", [20_000] * 20)))
    assert not found("RED005", snapshot(stats("availability:*", [20_000] * 19)))
    assert not found("RED005", snapshot(stats("availability:*", [20_000] * 20 + [61_000])))


def test_a_lock_without_ttl_is_an_outage_red006_trap_25() -> None:
    (finding,) = found("RED006", snapshot(stats("lock:*", [5_000, -1])))
    assert finding.severity is Severity.CRITICAL
    assert not found("RED002", snapshot(stats("lock:*", [5_000, -1])))
    assert not found("RED006", snapshot(stats("lock:*", [5_000])))


def test_a_ttl_where_there_must_be_none_red007() -> None:
    families = (KeyFamily(pattern="config:*", description="settings", expires=False),)
    seen = snapshot(stats("config:*", [-1, 60_000], family="config:*"))
    assert [finding.message for finding in found("RED007", seen, families=families)] == [
        "1 key will expire in a family that must not"
    ]


def test_what_volatile_policies_cannot_evict_red008_trap_24() -> None:
    full = node(maxmemory_policy="volatile-lru", maxmemory=11_000_000)
    staying = stats("tenant:*", [-1] * 90 + [9_000] * 10)
    assert found("RED008", snapshot(staying, nodes=(full,)))[0].severity is Severity.HIGH
    half = structs.replace(full, maxmemory=20_000_000)
    assert found("RED008", snapshot(staying, nodes=(half,)))[0].severity is Severity.INFO
    assert not found("RED008", snapshot(stats("tenant:*", [9_000] * 50 + [-1] * 50), nodes=(full,)))
    few_but_large = stats("tenant:*", [9_000] * 50 + [-1] * 5, no_ttl_bytes=5_000)
    assert found("RED008", snapshot(few_but_large, nodes=(full,)))
    assert found("RED008", snapshot(staying, nodes=(node(maxmemory_policy="noeviction"),)))
    assert not found("RED008", snapshot(staying, nodes=(node(maxmemory_policy="allkeys-lru"),)))


def test_a_giant_is_worse_the_more_of_the_memory_it_holds_red009() -> None:
    giant = KeySize(key="queue", memory_bytes=2 * MIB, type="list")
    alone = snapshot(stats("queue", [-1], memory_bytes=2 * MIB, largest=(giant,)))
    assert found("RED009", alone)[0].severity is Severity.HIGH
    among = snapshot(
        stats("queue", [-1], memory_bytes=2 * MIB, largest=(giant,)), stats("a:<n>", [-1] * 100, memory_bytes=MIB)
    )
    assert found("RED009", among)[0].severity is Severity.MEDIUM
    assert not found("RED009", snapshot(stats("queue", [-1], largest=(structs.replace(giant, memory_bytes=MIB - 1),))))


def test_memory_that_the_keys_do_not_account_for_red010_trap_19() -> None:
    keys = stats("a:<n>", [-1] * 100, memory_bytes=10_000)
    database = (DatabaseInfo(index=0, keys=100, expires=0),)
    (finding,) = found("RED010", snapshot(keys, nodes=(node(keyspace_bytes=8_000_000, databases=database),)))
    assert finding.evidence[0].value == 7_000_000
    elsewhere = (*database, DatabaseInfo(index=1, keys=5, expires=0))
    assert not found("RED010", snapshot(keys, nodes=(node(keyspace_bytes=8_000_000, databases=elsewhere),)))


@pytest.mark.parametrize(
    ("keys", "each", "accounted"),
    [(100, 10_000, 4 * MIB), (100, 1_000_000, 33_333_333), (100_000, 100, 10_000_000)],
    ids=["server's own", "a quarter", "hash tables"],
)
def test_what_a_server_takes_beside_its_keys_is_no_fault_red010(keys: int, each: int, accounted: int) -> None:
    known = structs.replace(stats("a:<n>"), count=keys, memory_known=keys, memory_bytes=keys * each)
    database = DatabaseInfo(index=0, keys=keys, expires=0)
    full = node(keyspace_bytes=keys * each + accounted, databases=(database,))
    assert not found("RED010", snapshot(known, nodes=(full,)))
    more = structs.replace(full, keyspace_bytes=keys * each + accounted + 1)
    (finding,) = found("RED010", snapshot(known, nodes=(more,)))
    assert finding.evidence[0].value == accounted + 1


def test_small_collections_in_a_large_encoding_red011() -> None:
    small = stats("session:*", [9_000] * 100, memory_bytes=900, types_known=20, encodings={"hash/hashtable": 20})
    (finding,) = found("RED011", snapshot(small))
    assert "hash-max-listpack-value 64" in finding.message
    older = node(config={"hash-max-ziplist-value": "64"})
    assert "hash-max-ziplist-value 64" in found("RED011", snapshot(small, nodes=(older,)))[0].message
    large = stats("session:*", [9_000] * 100, memory_bytes=9_000, types_known=20, encodings={"hash/hashtable": 20})
    assert not found("RED011", snapshot(large))
    assert not found("RED011", snapshot(structs.replace(small, encodings={"hash/listpack": 20})))


def test_one_tenant_with_most_of_the_memory_red012() -> None:
    keys = stats("availability:*", [9_000] * 100)
    shares = (
        TenantMemory(tenant="7", keys=60, memory_bytes=6_000),
        TenantMemory(tenant="8", keys=40, memory_bytes=4_000),
    )
    assert "one tenant, 7, has 60 %" in found("RED012", snapshot(keys, tenants=shares))[0].message
    even = (structs.replace(shares[0], memory_bytes=4_900), structs.replace(shares[1], memory_bytes=4_900))
    assert not found("RED012", snapshot(keys, tenants=even))
    assert not found("RED012", snapshot(keys, tenants=shares[:1]))


def test_fragmentation_counts_where_it_is_much_red013() -> None:
    assert found("RED013", snapshot(nodes=(node(fragmentation_ratio=1.6, fragmentation_bytes=200 * MIB),)))
    assert not found("RED013", snapshot(nodes=(node(fragmentation_ratio=6.0, fragmentation_bytes=5 * MIB),)))
    assert not found("RED013", snapshot(nodes=(node(fragmentation_ratio=1.2, fragmentation_bytes=900 * MIB),)))


def test_keys_in_other_databases_red014_trap_8() -> None:
    databases = (DatabaseInfo(index=0, keys=1, expires=0), DatabaseInfo(index=3, keys=7, expires=0))
    (finding,) = found("RED014", snapshot(nodes=(node(databases=databases),)))
    assert finding.message.startswith("7 keys in other databases (3)")
    assert not found("RED014", snapshot(nodes=(node(databases=databases),), database="all"))


def test_many_keys_that_expire_together_red015() -> None:
    together = [600_000 + number for number in range(10_000)]
    (finding,) = found("RED015", snapshot(stats("availability:*", together + list(range(1_000, 1_200_000, 500)))))
    assert finding.message.startswith("10,066 keys expire within about 33 s, in 10 min; 339 would if they were spread")
    assert not found("RED015", snapshot(stats("session:*", together)))


@pytest.mark.parametrize("first", [237_568, 240_000, 245_000, 245_260, 245_700, 245_760])
def test_a_stampede_is_seen_wherever_it_lies_red015(first: int) -> None:
    """Buckets of 8,192 ms begin at 237,568 and at 245,760."""
    together = [first + number // 2 for number in range(2_000)]
    (finding,) = found("RED015", snapshot(stats("availability:*", together)))
    evidence = {one.name: one.value for one in finding.evidence}
    span = 16.4 if first < 245_760 <= together[-1] else 8.2
    assert (evidence["keys"], evidence["span"]) == (2_000, span)
    assert evidence["expire at least"] == pytest.approx(2_000 / span, rel=0.01)
    assert f"2,000 keys expire within about {span:.0f} s, in 4 min" in finding.message


@pytest.mark.parametrize("ttls", [(245_760, 245_760), (245_759, 245_760)], ids=["one bucket", "two"])
def test_so_many_keys_are_a_stampede_and_one_less_are_none_red015(ttls: tuple[int, int]) -> None:
    together = [ttls[number % 2] for number in range(1_639)]  # 200 a second, for 8.192 s
    assert found("RED015", snapshot(stats("availability:*", together)))
    assert not found("RED015", snapshot(stats("availability:*", together[1:])))


def test_an_even_spread_is_no_stampede_red015() -> None:
    assert not found("RED015", snapshot(stats("availability:*", range(1, 600_000, 3))))
    # Next to one key that lives for long: a little less than `stampede_per_second`, twice that in two buckets.
    assert not found("RED015", snapshot(stats("availability:*", [*range(2_000, 122_000, 6), 1_790_000])))
    assert found("RED015", snapshot(stats("availability:*", [*range(2_000, 122_000, 4), 1_790_000])))


def test_a_single_key_of_a_sample_is_no_stampede_red015() -> None:
    sampled = snapshot(stats("availability:*", range(6_000, 1_800_000, 30_000)))
    coverage = structs.replace(sampled.coverage, mode="sample", keys_before=500_000)
    assert not found("RED015", structs.replace(sampled, coverage=coverage))
    together = snapshot(stats("availability:*", [*range(6_000, 1_800_000, 30_000), *range(250_000, 251_000, 50)]))
    assert found("RED015", structs.replace(together, coverage=coverage))


def test_expired_keys_that_still_take_memory_red016_trap_26() -> None:
    assert found("RED016", snapshot(nodes=(node(expired_stale_percent=12.0),)))
    assert not found("RED016", snapshot(nodes=(node(expired_stale_percent=9.9),)))


def test_a_replica_that_lags_red017() -> None:
    replica = node(name="replica:6379", role="replica", lag_seconds=30.0)
    (finding,) = found("RED017", snapshot(nodes=(node(), replica)))
    assert (finding.subject.name, "30 s" in finding.message) == ("replica:6379", True)
    assert "20 MiB" in found("RED017", snapshot(nodes=(node(lag_bytes=20 * MIB),)))[0].message
    assert not found("RED017", snapshot(nodes=(node(lag_bytes=MIB), structs.replace(replica, lag_seconds=1.0))))


def test_locks_that_a_policy_may_evict_red018_trap_24() -> None:
    keys = (stats("lock:*", [9_000]), stats("availability:*", [9_000] * 9))
    (finding,) = found("RED018", snapshot(*keys, nodes=(node(maxmemory_policy="volatile-lru"),)))
    assert (finding.severity, "lock:*" in finding.message) == (Severity.INFO, True)
    full = node(maxmemory=11_000_000)
    assert found("RED018", snapshot(*keys, nodes=(full,)))[0].severity is Severity.HIGH
    assert not found("RED018", snapshot(stats("availability:*", [9_000]), nodes=(full,)))
    assert not found("RED018", snapshot(*keys, nodes=(node(maxmemory=0),)))
    assert not found("RED018", snapshot(stats("lock:*", [-1]), nodes=(node(maxmemory_policy="volatile-lru"),)))


def test_no_limit_of_memory_red019() -> None:
    assert found("RED019", snapshot(nodes=(node(maxmemory=0),)))
    assert not found("RED019", snapshot())


def test_undeclared_keys_without_ttl_grow_red020() -> None:
    assert found("RED020", snapshot(stats("junk:<n>", [-1] * 1_000)))
    assert not found("RED020", snapshot(stats("junk:<n>", [-1] * 999)))
    assert not found("RED020", snapshot(stats("tenant:*", [-1] * 5_000)))


def test_values_that_nobody_reads_red021() -> None:
    unread = NeverRead(pattern="pms_cache:*", judged=100, never_read=60)
    (finding,) = found("RED021", snapshot(stats("pms_cache:*", [9_000] * 100), never_read=(unread,)))
    assert finding.message.startswith("60 %")
    assert not found("RED021", snapshot(never_read=(structs.replace(unread, never_read=40),)))
    assert not found("RED021", snapshot(never_read=(structs.replace(unread, judged=10, never_read=10),)))
    assert found("RED021", snapshot(never_read=(structs.replace(unread, pattern="reports:<n>"),)))


@pytest.mark.parametrize("pattern", ["session:*", "rate_limit:*", "*:session:*"])
def test_only_what_is_cached_is_to_be_read_red021(pattern: str) -> None:
    assert not found("RED021", snapshot(never_read=(NeverRead(pattern=pattern, judged=100, never_read=100),)))


def test_a_family_that_is_looked_for_in_vain_red022() -> None:
    looks = PatternLookups(pattern="pms_cache:*", source="client", hits=60, misses=60, seconds=None)
    assert found("RED022", snapshot(lookups=(looks,)))[0].severity is Severity.MEDIUM
    assert found("RED022", snapshot(lookups=(structs.replace(looks, hits=40),)))[0].severity is Severity.HIGH
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, hits=600),)))
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, pattern="lock:*"),)))
    assert not found("RED022", snapshot(lookups=(structs.replace(looks, hits=None, source="keymiss"),)))


def test_a_longer_ttl_where_many_come_too_late_red023() -> None:
    missed = MissesAfterExpiry(pattern="availability:*", misses=100, buckets={bucket_of(60_000): 100})
    keys = stats("availability:*", [300_000] * 30)
    (finding,) = found("RED023", snapshot(keys, after_expiry=(missed,)))
    assert "a TTL of 10 min would have caught" in finding.message
    assert not found(
        "RED023", snapshot(stats("lock:*", [9_000]), after_expiry=(structs.replace(missed, pattern="lock:*"),))
    )


def test_a_dump_is_not_judged_by_limits_that_it_does_not_hold() -> None:
    seen = snapshot(stats("lock:*", [-1]), nodes=(node(maxmemory=0, maxmemory_policy="unknown"),))
    of_dump = structs.replace(seen, coverage=structs.replace(seen.coverage, mode="rdb", method="file"), before=())
    assert {finding.rule for finding in report(of_dump).findings} == {"RED006"}


def test_each_recommendation_names_its_pattern_and_the_figure() -> None:
    made = report(snapshot(stats("lock:*", [-1]), stats("session:*", [-1] * 3), stats("rate_limit:*", [-1] * 4)))
    by_category = {advice.category: advice for advice in made.recommendations}
    assert by_category["keys_without_ttl"].message.startswith("rate_limit:*: 4 keys without TTL")
    assert by_category["keys_without_ttl"].message.endswith("; and 1 more like it")
    assert [advice.severity for advice in made.recommendations][:2] == [Severity.CRITICAL, Severity.HIGH]


def _rules_in(*places: str) -> set[str]:
    files = [path for place in places for path in sorted((ROOT / place).glob("**/*.py"))]
    return {rule for path in files for rule in RULE.findall(path.read_text(encoding="utf-8"))}


def test_every_rule_is_documented_and_has_a_category() -> None:
    documented = set(re.findall(r"^## (RED\d{3})$", (ROOT / "docs/rules.md").read_text(), flags=re.MULTILINE))
    assert documented == CACHE_CATEGORIES.keys() == _rules_in("dbvitals/analyse")


def test_every_rule_is_named_by_a_test() -> None:
    named = set(RULE.findall(Path(__file__).read_text(encoding="utf-8")))
    assert named == CACHE_CATEGORIES.keys()


def test_every_threshold_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/cache.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text, flags=re.MULTILINE))
    defaults = {field.name: float(getattr(CacheThresholds(), field.name)) for field in fields(CacheThresholds)}
    assert {name: float(value) for name, value in documented.items()} == defaults


def test_every_option_and_variable_is_documented() -> None:
    text = (ROOT / "docs/cache.md").read_text()
    options = {max(option.opts, key=len) for option in cache.params}
    everywhere = {"--connect-timeout", "--lock-timeout", "--version"}
    assert sorted(option for option in options - everywhere if f"`{option}" not in text) == []
    source = (ROOT / "dbvitals/settings_redis.py").read_text()
    variables = set(re.findall(r'"(REDIS_[A-Z_]+)"', source))
    assert sorted(variable for variable in variables if f"`{variable}`" not in text) == []


@pytest.mark.parametrize("path", sorted((ROOT / "dbvitals/collect/lua").glob("*.lua")), ids=lambda path: path.name)
def test_every_script_for_the_server_has_its_header_and_writes_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^-- (what|since|right|cost): ", text, flags=re.MULTILINE) == ["what", "since", "right", "cost"]
    commands = set(re.findall(r"ask\('(\w+)'", text)) | set(re.findall(r'ask\("(\w+)"', text))
    assert commands == {"TIME", "TYPE", "OBJECT", "HRANDFIELD", "HPTTL", "PTTL", "MEMORY", "SCAN"}
