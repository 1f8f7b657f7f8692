"""Keys that are asked for in vain: their patterns have rows, also without a key, and hidden names stay hidden."""

import json

import msgspec
import pytest

from dbvitals.analyse import key_tally
from dbvitals.analyse.key_condense import MISSED
from dbvitals.analyse.key_patterns import OTHER, Folding
from dbvitals.analyse.key_tally import KeyspaceTally, bucket_of
from dbvitals.analyse.keyspace_report import CacheReport, PatternReport
from dbvitals.output import to_json
from dbvitals.render import markdown, terminal
from dbvitals.render.keyspace_document import overview, whole
from dbvitals.snapshot_keyspace import KeySize, KeyspaceSnapshot, NeverRead, PatternLookups, PatternStats
from dbvitals.snapshot_misses import MissesAfterExpiry
from tests.unit.cache.builders import add, found, report, snapshot, stats

GUESTS = [f"{name}.garcia" for name in ("ana", "bruno", "carla", "david", "elena", "felipe", "gema", "hugo", "irene")]
GUESTS += [f"{name}.lopez" for name in ("ana", "bruno", "carla", "david", "elena", "felipe", "gema", "hugo", "irene")]


def heard(pattern: str, misses: int) -> PatternLookups:
    return PatternLookups(pattern=pattern, source="keymiss", hits=None, misses=misses, seconds=60.0)


def rows_of(made: CacheReport) -> dict[str, PatternReport]:
    return {row.pattern: row for row in made.patterns}


def guest(name: str, memory_bytes: int = 100) -> PatternStats:
    key = f"user:{name}:cart"
    return stats(key, [-1], samples=(key,), largest=(KeySize(key=key, memory_bytes=memory_bytes),))


def test_a_pattern_without_keys_that_is_asked_for_has_a_row() -> None:
    made = report(snapshot(stats("a:<n>", [-1] * 3), lookups=(heard("ghost:<n>", 42), heard("a:<n>", 7))))
    ghost = rows_of(made)["ghost:<n>"]
    assert (ghost.count, ghost.misses, ghost.description) == (0, 42, "no keys, but asked for")
    assert rows_of(made)["a:<n>"].misses == 7
    assert list(rows_of(made))[7:] == ["ghost:<n>", "a:<n>"]


def test_keys_that_are_gone_were_not_only_asked_for() -> None:
    assert rows_of(report(snapshot(stats("a:<n>", [-2]))))["a:<n>"].description == "discovered"


@pytest.mark.parametrize("width", [80, 120])
def test_misses_are_on_the_screen_and_on_the_page(width: int) -> None:
    made = report(snapshot(lookups=(heard("ghost:<n>", 4_242),)))
    drawn = terminal.draw(overview(made, "x"), width=width, color=False)
    assert "Misses" in drawn
    assert "4,242" in drawn
    assert "4,242" in markdown.draw(whole(made))


def test_nobody_listened_and_there_is_no_column_of_misses() -> None:
    assert "Misses" not in markdown.draw(whole(report(snapshot(stats("a:<n>", [-1])))))


def test_the_most_missed_are_kept_however_many_patterns_there_are() -> None:
    many = [stats(f"{one}:{other}", [-1] * 10) for one in "abcdefghijk" for other in "abcdefghijk"]
    looks = tuple(heard(f"ghost{letter}:<n>", misses) for misses, letter in enumerate("mnopqrst", start=1))
    made = report(snapshot(*many, lookups=looks), families=())
    ghosts = [row for row in made.patterns if row.pattern.startswith("ghost")]
    assert sorted(row.misses or 0 for row in ghosts) == [4, 5, 6, 7, 8]
    assert len(ghosts) == MISSED
    assert rows_of(made)[OTHER].misses == 1 + 2 + 3
    assert len(made.patterns) <= 40 + MISSED + 1


def test_what_was_counted_goes_with_a_pattern_that_is_renamed() -> None:
    carts = [f"user:{name}:cart" for name in GUESTS]
    late = [MissesAfterExpiry(pattern=cart, misses=5, buckets={bucket_of(60_000): 5}) for cart in carts]
    seen = snapshot(
        *(stats(cart, [300_000] * 2) for cart in carts),
        lookups=tuple(heard(cart, 10) for cart in [*carts, "user:nobody.here:cart"]),
        after_expiry=tuple(late),
        never_read=tuple(NeverRead(pattern=cart, judged=10, never_read=6) for cart in carts),
    )
    row = rows_of(report(seen))["user:*:cart"]
    assert (row.misses, row.never_read_percent) == (190, 60.0)
    assert [finding.subject.name for finding in found("RED021", seen)] == ["user:*:cart"]
    (late_finding,) = found("RED023", seen)
    assert (late_finding.subject.name, late_finding.evidence[0].value) == ("user:*:cart", 90)


def test_the_others_have_no_ttl_to_suggest() -> None:
    many = [stats(f"{one}:{other}", [300_000] * 2) for one in "abcdefghijk" for other in "abcdefghijk"]
    late = tuple(
        MissesAfterExpiry(pattern=one.pattern, misses=100, buckets={bucket_of(60_000): 100}) for one in many[40:42]
    )
    seen = snapshot(*many, after_expiry=late)
    subjects = {finding.subject.name for finding in found("RED023", seen, families=())}
    assert OTHER not in subjects


def test_names_do_not_tell_what_their_pattern_hides() -> None:
    row = rows_of(report(snapshot(*map(guest, GUESTS))))["user:*:cart"]
    assert row.count == len(GUESTS)
    assert row.sample_keys == ("user:*:cart",)
    assert {key.key for key in row.largest_keys} == {"user:*:cart"}


def test_a_giant_is_not_called_by_a_guests_name() -> None:
    giants = [guest(name, memory_bytes=2_000_000) for name in GUESTS]
    (finding,) = found("RED009", snapshot(*giants))
    assert "a single key, user:*:cart, holds" in finding.message


def test_hidden_names_are_hidden_among_the_others_too() -> None:
    larger = [stats(f"{one}:{other}", [-1] * 99) for one in "abcdefghijk" for other in "abcdefghijk"]
    row = rows_of(report(snapshot(*larger, *map(guest, GUESTS)), families=()))[OTHER]
    assert "user:*:cart" in row.sample_keys
    assert not [name for name in (*row.sample_keys, *(key.key for key in row.largest_keys)) if "garcia" in name]


def test_names_that_were_asked_for_stay() -> None:
    """Also when masking would have changed none of them, which says nothing."""
    row = rows_of(report(snapshot(*map(guest, GUESTS), names_shown=True)))["user:*:cart"]
    assert "user:ana.garcia:cart" in row.sample_keys


def test_names_are_hidden_while_keys_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_tally, "CROWDED", len(GUESTS))
    tally = KeyspaceTally(Folding())
    for name in GUESTS:
        tally.of(f"user:{name}:cart").merge(guest(name))
    add(tally.of("queue"), -1)
    assert {name for one in tally.freeze() for name in one.samples} == {"user:*:cart"}


def test_names_that_are_to_be_shown_are_kept_while_keys_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_tally, "CROWDED", len(GUESTS))
    tally = KeyspaceTally(Folding(), names_shown=True)
    for name in GUESTS:
        tally.of(f"user:{name}:cart").merge(guest(name))
    add(tally.of("queue"), -1)
    assert "user:ana.garcia:cart" in {name for one in tally.freeze() for name in one.samples}


def test_a_snapshot_of_before_names_could_be_shown_still_loads_and_shows_none() -> None:
    older = json.loads(to_json(snapshot(*map(guest, GUESTS))))
    del older["names_shown"]
    seen = msgspec.convert(older, KeyspaceSnapshot)
    assert "garcia" not in str(report(seen))


def test_of_a_name_with_other_parts_than_its_pattern_nothing_is_left_behind_the_star() -> None:
    cut = [stats(f"mail:{name}:*", [-1], samples=(f"mail:{name}:to:{name}:x",)) for name in GUESTS]
    assert rows_of(report(snapshot(*cut)))["mail:*:*"].sample_keys == ("mail:*",)
