"""A pass over a whole keyspace: exact counts, times and bytes, by scripts and by pipelines alike, and what it costs."""

from time import sleep

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.redis_wire import Wire
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import (
    FAMILIES,
    FOLDING,
    Client,
    Reads,
    fill,
    patterns_of,
    reads_of,
    see,
    target_of,
)

NAMES = [
    *(b"", b"*", b"a\nb", b":leading", b"session:", b"SESSION:1", b"locksmith", b"lock:", b"lock:[a]:*", b"lock"),
    *(b"\xff\xfe\x00binary", "habitación:ñ:1".encode(), b"<script>alert(1)</script>", b'=cmd|"/c calc"!A1', b"a,b;c"),
    *(b"hotel012:availability:2026-11-01", b"{hotel12}:session:4", b"session:{12}:x", b"{session:12}", b"{}", b"{"),
    *(b"a:b:c:session:4", b"a:b:c:d:session:4", b"::session:1", b"x::y", b"x:y:"),
    *(b"to:a@b.org,c@d.net", b"to:Ana <ana.1@b.org>", b"@b.org", b"a@b@c.d", b"a@ b.c"),
    *(b"user:guest@example.org:1", b"user:+34 600 112 233:x", b"user:+34", b"34600112233@c.us", b"a@b"),
    *(b"cart:550e8400-e29b-41d4-a716-446655440000", b"cart:550e8400e29b41d4a716446655440000", b"cart:deadbeef"),
    *(b"cart:deadbeef1", b"cart:1234567", b"cart:01ARZ3NDEKTSV4RRFFQ69G5FAV", b"{user1000}.following", b"v1:api2"),
    *(b"guest:Ana Maria:room", b"x:" * 57 + b"ana@example.org:1", b"x:" * 64 + b"y", b"x" * 128, b"x" * 129),
    *(b"x" * 41, b"x" * 300, b"1" * 300, ("😀" * 15).encode(), b"a\\b*c", b"%d%s:%5", b"availability:acme:north:7"),
]

part = st.one_of(
    st.sampled_from(
        [b"session", b"lock", b"a1b2c3d4", b"12", b"", b"\x00\xff", b"{h}", b"user12", b"*", b"+34 600 11"]
    ),
    st.binary(max_size=12),
)


def folded(server: RedisServer, client: Client, names: list[bytes], folding: Folding = FOLDING) -> dict[str, int]:
    client.flushall()
    client.mset(dict.fromkeys(names, "x"))
    return {stats.pattern: stats.count for stats in see(target_of(server), folding).patterns}


def expected(names: list[bytes], folding: Folding = FOLDING) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in set(names):
        pattern = folding.pattern_of(name)
        counts[pattern] = counts.get(pattern, 0) + 1
    return counts


def test_hostile_names_are_folded_trap_16_17_18(any_server: RedisServer, any_client: Client) -> None:
    assert folded(any_server, any_client, NAMES) == expected(NAMES)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.lists(part, min_size=1, max_size=7).map(b":".join), min_size=1, max_size=60))
def test_any_name_is_folded(valkey: RedisServer, client: Client, names: list[bytes]) -> None:
    assert folded(valkey, client, names) == expected(names)


def test_other_separators_are_understood(valkey: RedisServer, client: Client) -> None:
    folding = Folding(FAMILIES, separators="/.-]^%")
    names = [b"a/b/12", b"a.b-c]d^e%f", b"session:1/session:2", b"x/session:1", *NAMES]
    assert folded(valkey, client, names, folding) == expected(names, folding)


def test_the_longest_declared_prefix_wins(valkey: RedisServer, client: Client) -> None:
    families = [KeyFamily(pattern=name, description="") for name in ("pms:*", "pms:cache:*", "pm*", "session:*")]
    folding = Folding(families)
    names = [b"pms:cache:1", b"pms:cach", b"pms:1", b"pm7", b"x:pms:cache:2", b"x:pm:1", *NAMES]
    assert folded(valkey, client, names, folding) == expected(names, folding)


def test_tenants_are_found_behind_other_parts_and_in_hash_tags_by_both(valkey: RedisServer, client: Client) -> None:
    names = [b"availability:a:1", b"x:availability:{b}:1", b"{availability:c}", b"availability:", b"session:d:1"]
    client.mset(dict.fromkeys(names, "x"))
    client.acl_setuser("piper", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-@scripting"])
    for user in ({}, {"user": "piper", "password": "pw"}):
        shares = see(target_of(valkey, **user)).tenants
        assert sorted((share.tenant, share.keys) for share in shares) == [("a", 1), ("b", 1), ("c", 1)]


def test_every_key_is_counted_with_its_time_and_its_bytes(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client)
    sizes: dict[str, int] = {}
    for key in any_client.scan_iter():
        pattern = FOLDING.pattern_of(key)
        sizes[pattern] = sizes.get(pattern, 0) + any_client.memory_usage(key)  # type: ignore[operator]
    seen = patterns_of(see(target_of(any_server)))
    assert {name: stats.memory_bytes for name, stats in seen.items()} == sizes
    assert {name for name, stats in seen.items() if stats.no_ttl_bytes} == {"session:*", "tags:<n>"}
    assert {name: (stats.count, stats.no_ttl) for name, stats in seen.items()} == {
        "availability:*": (600, 0),
        "session:*": (300, 300),
        "*:session:*": (40, 0),
        "tags:<n>": (40, 40),
        "user:<email>:mail": (40, 0),
    }
    rooms = seen["availability:*"]
    assert rooms.ttl_max_ms is not None
    assert rooms.ttl_min_ms is not None
    assert rooms.ttl_max_ms - rooms.ttl_min_ms == pytest.approx(599, abs=2_000)
    assert rooms.ttl_max_ms <= 60_599
    assert sum(rooms.ttl_buckets.values()) == 600


def test_pipelines_see_the_same_as_scripts(valkey: RedisServer, client: Client) -> None:
    fill(client)
    client.acl_setuser("piper", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-@scripting"])
    by_script = see(target_of(valkey))
    by_pipeline = see(target_of(valkey, user="piper", password="pw"))
    assert (by_script.coverage.method, by_pipeline.coverage.method) == ("script", "pipeline")
    same = [
        [(s.pattern, s.count, s.no_ttl, s.memory_bytes, s.no_ttl_bytes, s.memory_known) for s in snapshot.patterns]
        for snapshot in (by_script, by_pipeline)
    ]
    assert same[0] == same[1]
    assert by_script.tenants == by_pipeline.tenants
    assert len(by_script.tenants) == 7


@pytest.mark.parametrize("scripted", [True, False])
def test_own_reads_are_known_exactly_trap_1(any_server: RedisServer, any_client: Client, scripted: bool) -> None:
    fill(any_client)
    rules = ["+@all"] if scripted else ["+@all", "-@scripting"]
    any_client.acl_setuser("reader", enabled=True, passwords=["+pw"], keys="*", commands=rules)
    any_client.config_resetstat()
    snapshot = see(target_of(any_server, user="reader", password="pw"))
    (after,) = snapshot.after
    assert Reads(after.own_hits, after.own_misses) == reads_of(any_client)
    assert after.own_hits >= 1020


def test_reading_leaves_the_clients_reads_alone_trap_1(valkey: RedisServer, client: Client) -> None:
    fill(client)
    for number in range(10):
        client.get(f"availability:hotel-{number % 7}:{number}")
        client.get(f"absent:{number}")
    (before,) = see(target_of(valkey)).before
    assert (before.hits, before.misses, before.own_hits) == (10, 10, 0)


def test_a_key_that_is_only_looked_at_stays_cold_trap_3(any_server: RedisServer, any_client: Client) -> None:
    any_client.set("cold", "x")
    before = any_client.object("idletime", "cold")
    assert before is not None
    sleep(2.1)
    see(target_of(any_server))
    after = any_client.object("idletime", "cold")
    assert after is not None
    assert after >= before + 2


def test_types_and_encodings_of_a_pattern(any_server: RedisServer, any_client: Client) -> None:
    for number in range(200):
        any_client.set(f"number:{number}", number)
        any_client.rpush(f"queue:{number}", *["y" * 100] * 200)
    seen = patterns_of(see(target_of(any_server)))
    assert set(seen["number:<n>"].types) == {"string"}
    assert set(seen["number:<n>"].encodings) == {"string/int"}
    assert set(seen["queue:<n>"].encodings) == {"list/quicklist"}
    assert seen["number:<n>"].types_known == 200  # of the first thousand keys every one is asked


def test_the_largest_keys_are_found_and_measured_more_closely_trap_20(valkey: RedisServer, client: Client) -> None:
    client.mset({f"small:{number}": "x" for number in range(500)})
    client.hset("lopsided", mapping=dict.fromkeys(range(600), "x"))
    client.hset("lopsided", "giant", "y" * 5_000_000)
    client.mset({f"plain:{number}": "z" * (300_000 - 20_000 * number) for number in range(9)})
    seen = patterns_of(see(target_of(valkey)))
    (lopsided,) = seen["lopsided"].largest
    assert lopsided.memory_bytes > 5_000_000
    assert (lopsided.type, lopsided.encoding, lopsided.samples) == ("hash", "hashtable", 5000)
    assert seen["lopsided"].memory_bytes == lopsided.memory_bytes
    assert [key.key for key in seen["plain:<n>"].largest] == [f"plain:{number}" for number in range(5)]
    assert {key.type for key in seen["plain:<n>"].largest} == {"string"}
    assert seen["small:<n>"].largest[0].memory_bytes <= 64


@pytest.mark.parametrize("scripted", [True, False])
def test_memory_without_ttl_is_summed_and_not_guessed_from_counts_trap_24(
    any_server: RedisServer, any_client: Client, scripted: bool
) -> None:
    any_client.set("photo:1", "x" * 100_000)
    any_client.hset("photo:2", mapping={"small": "x", "large": "y" * 200_000})
    for number in range(3, 50):
        any_client.set(f"photo:{number}", "x" * 1_000, ex=60)
    if not scripted:
        any_client.acl_setuser("piper", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-@scripting"])
    target = target_of(any_server) if scripted else target_of(any_server, user="piper", password="pw")
    photos = patterns_of(see(target))["photo:<n>"]
    staying = sum(int(str(any_client.memory_usage(key, samples=1000))) for key in ("photo:1", "photo:2"))
    assert (photos.no_ttl, photos.no_ttl_bytes) == (2, staying)


def test_names_are_masked_unless_asked_for(valkey: RedisServer, client: Client) -> None:
    client.mset({"session:9f8a7b6c5d4e3f2a": "x", "user:guest@example.org": "x", "room:101": "x"})
    masked = {name for stats in see(target_of(valkey)).patterns for name in stats.samples}
    assert masked == {"session:9f8a...", "user:<email>", "room:101"}
    shown = {name for stats in see(target_of(valkey), show_keys=True).patterns for name in stats.samples}
    assert shown == {"session:9f8a7b6c5d4e3f2a", "user:guest@example.org", "room:101"}


def test_an_empty_server_is_no_error(any_server: RedisServer, any_client: Client) -> None:
    snapshot = see(target_of(any_server))
    assert (snapshot.patterns, snapshot.coverage.keys_seen, snapshot.coverage.ended) == ((), 0, "complete")


def test_all_databases_on_request_trap_8(valkey: RedisServer, client: Client) -> None:
    client.set("session:0", "x")
    with Client(host=valkey.host, port=valkey.port, password=valkey.password, db=3) as other:
        other.set("session:3", "x")
        other.set("three:3", "x" * 40_000)
    assert set(patterns_of(see(target_of(valkey)))) == {"session:*"}
    assert set(patterns_of(see(target_of(valkey, db=3)))) == {"session:*", "three:<n>"}
    everything = see(target_of(valkey), all_databases=True)
    assert {name: stats.count for name, stats in patterns_of(everything).items()} == {"session:*": 2, "three:<n>": 1}
    assert patterns_of(everything)["three:<n>"].largest[0].type == "string"
    assert everything.coverage.keys_before == 3


def test_the_connection_has_a_name_trap_33(valkey: RedisServer, client: Client) -> None:
    with Wire(target_of(valkey), connect_timeout=10, answer_timeout=10):
        assert "dbvitals" in {one["name"] for one in client.client_list()}
