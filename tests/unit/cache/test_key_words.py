"""Words that a project chose, and names of people: which parts of keys are shown, and which are not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from app.expectations import FAMILIES
from dbvitals.analyse.key_patterns import LONGEST, Folding
from dbvitals.analyse.key_renaming import anonymous
from dbvitals.analyse.key_words import SHARED, SHARED_BY_NAMES, without_people
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.output import to_json
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NeverRead, PatternLookups, SampledKey
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import add, report, snapshot

FOLDING = Folding(FAMILIES)

PEOPLE = ("maria", "Garcia", "j_smith", "o'brien", "Ana-Sofia", "perez", "<script>", "lopez2")


def seen(*keys: bytes, show_keys: bool = False) -> KeyspaceSnapshot:
    """What is kept of these keys, each of 100 bytes, by the same way as in a pass."""
    harvest = Harvest(FOLDING, show_keys)
    for key in keys:
        tally = harvest.tally.of(FOLDING.pattern_of(key))
        add(tally, -1)
        harvest.add_name(tally, key, 100)
    return snapshot(*harvest.tally.freeze(), names_shown=show_keys)


def patterns_in(made: CacheReport) -> dict[str, int]:
    return {row.pattern: row.count for row in made.patterns if row.count}


HOSTILE = (
    [b"user:maria.garcia"],
    [b"user:j_smith", b"user:1", b"user:2"],
    [b"user:maria", b"user:Garcia", b"user:perez"],
    [b"user:maria:cart", b"user:Garcia:cart", b"user:perez:mail"],
    [b"user:maria.garcia:msg:%d" % number for number in range(SHARED_BY_NAMES - 1)],
    [b"hotel7:guest:maria", b"hotel7:guest:lopez2", b"hotel7:guest:perez"],
    [b"{user:maria.garcia}:cart"],
    [b"user:maria85.garcia"],
    [b"user:<script>maria</script>"],
    [b"user:<n>maria", b"user:maria<email>", b"user:<n>maria<n>"],
    [b"user:o'brien"],
    [b"user:Ana-Sofia Garcia", "user:maría.garcía".encode()],
    [b"user:maria*garcia", b"user:maria\\perez"],
    [b"maria.garcia"],
    [b"maria.garcia:cart:1"],
    [b"session:maria", b"hotel7:session:maria", b"session:maria.garcia:cart", b"{maria}:session:4"],
    [b"lock:refresh:maria", b"pms_cache:guest:maria:2026-11-23"],
    [b"x:" * (LONGEST // 2) + b"maria"],
    [b"{" * LONGEST + b"maria" * 9],
    [b"session:" + b"1:" * LONGEST + b"maria"],
)


@pytest.mark.parametrize("keys", HOSTILE, ids=lambda keys: keys[0][:30].decode())
def test_names_of_people_are_in_no_report_and_no_file(keys: list[bytes]) -> None:
    kept = seen(*keys)
    for text in (to_json(report(kept)), to_json(anonymous(kept, FOLDING))):
        assert not [name for name in PEOPLE if name.encode() in text]


@pytest.mark.parametrize("keys", HOSTILE, ids=lambda keys: keys[0][:30].decode())
def test_nothing_is_lost_but_the_name(keys: list[bytes]) -> None:
    assert sum(patterns_in(report(seen(*keys))).values()) == len(keys)


@pytest.mark.parametrize(
    ("keys", "patterns"),
    [
        ([b"stats:count"], {"stats:count": 1}),
        ([*(b"user:%d" % number for number in range(50)), b"user:count"], {"user:<n>": 50, "user:count": 1}),
        ([b"jobs:high", b"jobs:low"], {"jobs:high": 1, "jobs:low": 1}),
        ([b"queue", b"leader", b"version"], {"queue": 1, "leader": 1, "version": 1}),
        (
            [b"config:feature.flags:%d" % number for number in range(SHARED_BY_NAMES)],
            {"config:feature.flags:<n>": SHARED_BY_NAMES},
        ),
        ([b"feature.flags:%d" % number for number in range(SHARED)], {"feature.flags:<n>": SHARED}),
        ([b"hotel%d:%s:%d" % (n, what, n) for n in range(30) for what in (b"rooms", b"bills", b"staff")], 30),
        ([b"guest:maria@example.org:+34600112233"], {"guest:<email>:<phone>": 1}),
    ],
    ids=["alone", "beside numbers", "two", "first", "shared, as a name", "first, as a name", "shared", "no word"],
)
def test_words_that_a_project_chose_are_shown(keys: list[bytes], patterns: dict[str, int] | int) -> None:
    if isinstance(patterns, int):
        patterns = {f"hotel<n>:{what}:<n>": patterns for what in ("rooms", "bills", "staff")}
    assert patterns_in(report(seen(*keys))) == patterns


def test_a_part_is_hidden_where_others_were_hidden_before_trap_18() -> None:
    """While keys were still coming, most guests have become `*` already; the rest comes after."""
    assert without_people({"user:*": 2_000, "user:zoe": 1, "user:<n>": 7}, FOLDING) == {"user:zoe": "user:*"}


def test_words_behind_a_hidden_one_are_told_by_the_keys_of_all() -> None:
    guests = [f"user:{name}.garcia:{what}" for name in "abcdefghij" for what in ("cart", "mail", "bill")]
    assert set(without_people(dict.fromkeys(guests, 1), FOLDING).values()) == {
        "user:*:cart",
        "user:*:mail",
        "user:*:bill",
    }


parts = st.sampled_from(["a", "b", "c", "d", "a.b", "x<n>", "<n>", "<uuid>", "*", "", "\\*", "{a"])
shapes = st.lists(parts, min_size=1, max_size=4).map(":".join)


@given(st.dictionaries(shapes, st.sampled_from([0, 1, 5, SHARED, SHARED_BY_NAMES]), max_size=25))
def test_what_is_hidden_once_stays_as_it_is(keys: dict[str, int]) -> None:
    names = without_people(keys, FOLDING)
    again: dict[str, int] = {}
    for pattern, number in keys.items():
        new = names.get(pattern, pattern)
        again[new] = again.get(new, 0) + number
    assert without_people(again, FOLDING) == {}


def test_what_was_counted_by_pattern_goes_with_it_into_the_file() -> None:
    kept = seen(b"user:maria.garcia", b"user:j_smith")
    mine, gone = "user:maria.garcia", "user:ana.perez"
    looks = [PatternLookups(pattern=one, source="keymiss", hits=None, misses=3, seconds=9.0) for one in (mine, gone)]
    full = structs.replace(
        kept,
        lookups=tuple(looks),
        after_expiry=(MissesAfterExpiry(pattern=gone, misses=1, buckets={5: 1}),),
        never_read=(NeverRead(pattern=mine, judged=1, never_read=1),),
        sample=(SampledKey(pattern=mine, memory_bytes=100),),
    )
    saved = anonymous(full, FOLDING)
    assert [one.misses for one in saved.lookups] == [6]
    text = to_json(saved)
    assert not [name for name in PEOPLE if name.encode() in text]
    assert json.loads(to_json(report(saved))) == json.loads(to_json(report(full)))


def test_names_that_are_asked_for_are_shown_and_kept() -> None:
    kept = seen(b"user:maria.garcia", b"session:maria", show_keys=True)
    made = report(kept)
    assert patterns_in(made) == {"session:*": 1, "user:maria.garcia": 1}
    assert {name for row in made.patterns for name in row.sample_keys} == {"session:maria", "user:maria.garcia"}
    assert anonymous(kept, FOLDING) == kept


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        (b"session:maria", b"session:*"),
        (b"lock:refresh:availability:pms:gran-hotel:2026-11-23", b"lock:*:availability:*:*:2026-11-23"),
        (b"hotel12:session:9f8a7b6c5d4e3f2a", b"*:session:9f8a..."),
        (b"{maria}:session:4", b"{*}:session:4"),
        (b"session:" + b"1:" * 80, b"session:" + b"1:" * 60 + b"*"),
    ],
)
def test_of_a_declared_family_only_declared_words_are_shown(key: bytes, masked: bytes) -> None:
    assert FOLDING.masked(key) == masked
