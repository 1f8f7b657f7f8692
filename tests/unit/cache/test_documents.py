"""The report as JSON, as a page and as a difference; the same state gives the same, whatever the keys are called."""

import json
from datetime import timedelta

import jsonschema
import msgspec
import pytest
from msgspec import structs

from app.core.redis import Family
from app.expectations import FAMILIES
from dbvitals import schemas
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.keyspace_diff import diff_cache_reports
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.collect.cache_metrics import lookups_in
from dbvitals.collect.keyspace_progress import line
from dbvitals.output import to_json
from dbvitals.render import html, markdown, terminal
from dbvitals.render.keyspace_diff_document import cache_diff_document
from dbvitals.render.keyspace_document import bar, overview, whole
from dbvitals.snapshot_keyspace import KeySize, PatternLookups, SampledKey, TenantMemory
from tests.unit.cache.builders import NOW, counters, node, report, snapshot, stats

HOSTILE = "<script>alert(1)</script>|`*_\x1b[31m"


def hotel() -> CacheReport:
    return report(
        snapshot(
            stats("availability:*", [100_000] * 60, memory_bytes=900, types_known=6, types={"string": 6}),
            stats("session:*", [-1] * 3 + [900_000] * 30),
            stats("lock:*", [-1]),
            stats(HOSTILE, [-1], largest=(KeySize(key=HOSTILE, memory_bytes=2_000_000),), samples=(HOSTILE,)),
            names_shown=True,
            before=(counters(hits=60, misses=60, evicted_keys=3),),
            lookups=(PatternLookups(pattern="availability:*", source="client", hits=90, misses=10, seconds=None),),
            tenants=(
                TenantMemory(tenant=HOSTILE, keys=3, memory_bytes=9),
                TenantMemory(tenant="7", keys=1, memory_bytes=1),
            ),
        )
    )


@pytest.mark.parametrize("made", [hotel(), report(snapshot()), report(snapshot(nodes=(), before=(), after=()))])
def test_a_report_is_valid(made: CacheReport) -> None:
    document = json.loads(to_json(made))
    jsonschema.Draft202012Validator(schemas.schema("redis_analysis")).validate(document)


def test_the_keys_of_the_guide_and_of_the_interface_are_there() -> None:
    made = json.loads(to_json(hotel()))
    assert set(made["summary"]) >= {
        *("hit_ratio", "hits", "misses", "window", "total_keys", "keys_without_ttl", "evicted_keys", "expired_keys"),
        *("used_memory_bytes", "maxmemory_bytes", "maxmemory_policy", "coverage"),
    }
    assert set(made["summary"]["coverage"]) >= {"mode", "keys_seen", "confidence", "error_percent"}
    assert set(made["patterns"][0]) >= {
        *("pattern", "description", "count", "ttl", "no_ttl", "memory_bytes", "memory_percent", "types"),
        *("largest_keys", "sample_keys", "hit_ratio"),
    }
    assert set(made["patterns"][0]["ttl"]) == {"avg", "min", "max", "p50", "p99"}


def test_the_seven_come_first_in_the_guides_order_with_its_words() -> None:
    rows = hotel().patterns
    assert [row.pattern for row in rows[:7]] == [family.pattern for family in Family]
    assert [row.description for row in rows[:2]] == ["hotel room availability cache", "user sessions"]
    assert rows[5].count == 0
    assert rows[-1].pattern == HOSTILE


def test_the_hotels_families_are_those_that_the_service_writes() -> None:
    assert {family.pattern for family in FAMILIES} == {family.pattern for family in Family}


def test_figures_of_a_pattern() -> None:
    rooms = hotel().patterns[0]
    assert (rooms.count, rooms.no_ttl, rooms.memory_bytes, rooms.hit_ratio) == (60, 0, 54_000, 0.9)
    assert (rooms.ttl.min, rooms.ttl.max, rooms.ttl.avg, rooms.ttl.p50) == (100.0, 100.0, 100.0, 100.0)
    assert rooms.types == {"string": 1.0}


@pytest.mark.parametrize("place", ["redis_analysis.json", "not written"])
def test_pages_are_drawn_and_no_name_gets_out_of_its_cell(place: str) -> None:
    for document in (overview(hotel(), place), whole(hotel())):
        drawn = terminal.draw(document, width=120, color=False)
        assert "\x1b" not in drawn
        assert "lock:*" in drawn
        assert "<script" not in html.draw(document)
        assert "<script" not in markdown.draw(document)
    assert place in terminal.draw(overview(hotel(), place), width=120, color=False)


def test_no_reads_are_said_to_be_none() -> None:
    assert "no reads since the server's start" in terminal.draw(
        overview(report(snapshot()), "x"), width=120, color=False
    )


def test_the_same_state_gives_the_same_bytes() -> None:
    assert to_json(hotel()) == to_json(hotel())


def test_a_difference_names_what_came_what_went_and_what_grew() -> None:
    old = report(snapshot(stats("lock:*", [-1]), stats("a:<n>", [-1] * 10), before=(counters(hits=90, misses=10),)))
    later = structs.replace(hotel(), generated_at=NOW + timedelta(days=7))
    diff = diff_cache_reports(old, later)
    assert "RED002" in {finding.rule for finding in diff.appeared}
    assert "RED006" not in {finding.rule for finding in (*diff.appeared, *diff.gone)}
    assert {one.pattern for one in diff.patterns} >= {"a:<n>", "availability:*", "session:*"}
    drawn = terminal.draw(cache_diff_document(diff), width=120, color=False)
    assert "90.0 %, now 50.0 %" in drawn
    assert not diff.is_empty


def test_what_moves_by_itself_is_no_difference() -> None:
    old = report(snapshot(stats("tenant:*", [-1] * 100), before=(counters(hits=900, misses=100),)))
    new = report(snapshot(stats("tenant:*", [-1] * 105), before=(counters(hits=909, misses=100),)))
    diff = diff_cache_reports(old, new)
    assert diff.is_empty
    assert "Nothing has changed." in terminal.draw(cache_diff_document(diff), width=80, color=False)


def test_a_ratio_that_is_there_at_last_is_a_difference() -> None:
    diff = diff_cache_reports(report(snapshot()), report(snapshot(before=(counters(hits=9),))))
    assert diff.hit_ratio_moved


def test_a_sample_is_scaled_and_has_its_error() -> None:
    keys = [SampledKey(pattern="session:*", memory_bytes=100), SampledKey(pattern="tenant:*", memory_bytes=300)] * 200
    seen = snapshot(
        stats("session:*", [9_000] * 200), stats("tenant:*", [-1] * 200, memory_bytes=300), sample=tuple(keys)
    )
    coverage = structs.replace(seen.coverage, mode="sample", method="pipeline", keys_before=4_000)
    made = report(structs.replace(seen, coverage=coverage))
    patterns = {row.pattern: row for row in made.patterns}
    assert (made.summary.total_keys, patterns["tenant:*"].count, patterns["tenant:*"].no_ttl) == (4_000, 2_000, 2_000)
    assert (patterns["tenant:*"].memory_bytes, patterns["tenant:*"].memory_percent) == (600_000, 75.0)
    assert patterns["tenant:*"].memory_error_percent == pytest.approx(3.7, abs=1.0)
    assert made.summary.coverage.confidence == "estimate, 95 % interval"


def test_a_sample_that_does_not_come_to_what_the_server_says_is_not_trusted_trap_22() -> None:
    keys = tuple(SampledKey(pattern="a:<n>", memory_bytes=1_000) for _ in range(500))
    seen = snapshot(
        stats("a:<n>", [-1] * 500, memory_bytes=1_000), sample=keys, nodes=(node(keyspace_bytes=9_000_000),)
    )
    coverage = structs.replace(seen.coverage, mode="sample", keys_before=1_000)
    confidence = report(structs.replace(seen, coverage=coverage)).summary.coverage.confidence
    assert confidence.startswith("not trustworthy: scaled up it comes to 11 %")


def test_a_few_megabytes_beside_a_small_sample_are_the_servers_own() -> None:
    keys = tuple(SampledKey(pattern="a:<n>", memory_bytes=80) for _ in range(500))
    seen = snapshot(stats("a:<n>", [-1] * 500, memory_bytes=80), sample=keys, nodes=(node(keyspace_bytes=1_100_000),))
    coverage = structs.replace(seen.coverage, mode="sample", keys_before=6_000)
    assert report(structs.replace(seen, coverage=coverage)).summary.coverage.confidence == "estimate, 95 % interval"


def test_the_services_counters_are_read_by_family() -> None:
    text = """
# TYPE redis_cache_requests_total counter
redis_cache_requests_total{family="availability",outcome="hit"} 40.0
redis_cache_requests_total{family="availability",outcome="stale"} 5.0
redis_cache_requests_total{outcome="miss",family="availability"} 1.5e1
redis_cache_requests_total{family="availability",outcome="away"} 99.0
redis_cache_requests_total{family="unheard_of",outcome="hit"} 7.0
redis_cache_requests_created{family="availability",outcome="hit"} 1.7e9
"""
    (looks,) = lookups_in(text, FAMILIES)
    assert (looks.pattern, looks.hits, looks.misses) == ("availability:*", 45, 15)
    assert lookups_in("nothing", FAMILIES) == ()


@pytest.mark.parametrize("width", [100, 160])
@pytest.mark.parametrize(
    ("hits", "seconds", "drawn"),
    [(90, 60.2, "90.0 % in 60 s"), (None, 30.0, "10 in 30 s"), (90, 7_300.0, "90.0 % in 2 h"), (90, None, "90.0 %")],
    ids=["window", "notifications", "since a file", "since the service's start"],
)
def test_over_what_time_looks_were_counted_is_shown(
    hits: int | None, seconds: float | None, drawn: str, width: int
) -> None:
    looks = PatternLookups(
        pattern="session:*", source="client" if hits else "keymiss", hits=hits, misses=10, seconds=seconds
    )
    made = report(snapshot(stats("session:*", [-1]), lookups=(looks,)))
    row = next(row for row in made.patterns if row.pattern == "session:*")
    assert row.counted_seconds == seconds
    for text in (terminal.draw(overview(made, "x"), width=width, color=False), markdown.draw(whole(made))):
        assert drawn in text
        assert seconds is not None or "90.0 % in" not in text


def test_an_older_report_without_that_time_is_still_read() -> None:
    older = json.loads(to_json(hotel()))
    for row in older["patterns"]:
        del row["counted_seconds"]
    assert diff_cache_reports(msgspec.convert(older, CacheReport), hotel()).is_empty


def test_progress_is_one_line() -> None:
    assert line(500_000, 2_000_000, 4.0, 0.0004) == (
        "█████░░░░░░░░░░░░░░░ 25%  500,000 of 2,000,000 keys, 125,000/s, 0:12 left, PING p99 0.4 ms"
    )
    assert line(0, 0, 0.0, 0.0).endswith("0 of 0 keys, 0/s, 0:00 left")


@pytest.mark.parametrize(
    ("percent", "drawn"), [(0, "░" * 10), (0.1, "█" + "░" * 9), (50, "█" * 5 + "░" * 5), (120, "█" * 10)]
)
def test_a_bar(percent: float, drawn: str) -> None:
    assert bar(percent) == drawn


def test_patterns_are_bounded_in_the_report() -> None:
    many = [stats(f"{one}:{other}", [-1] * 10) for one in "abcdefghijk" for other in "abcdefghijk"]
    made = report(snapshot(*many), families=())
    assert len(made.patterns) == 41
    assert made.patterns[-1].pattern == "other"
    assert sum(row.count for row in made.patterns) == 1_210
    assert Folding().family_of("other") is None


def test_a_dump_is_shown_as_one() -> None:
    seen = snapshot(stats("session:*", [-1]), nodes=(node(host="/backup/dump.rdb", port=0),), before=(), after=())
    made = report(structs.replace(seen, coverage=structs.replace(seen.coverage, mode="rdb", method="file")))
    drawn = terminal.draw(overview(made, "x"), width=120, color=False)
    assert drawn.startswith("Cache of /backup/dump.rdb, database 0\n")
    assert "Hit ratio  no reads" not in drawn
    assert "every key of the dump" in drawn
