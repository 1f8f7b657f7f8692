"""Hits and misses of earlier runs are no client's: subtracted where they are known, else no ratio is given."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from dbvitals.analyse.hit_ratio import more, traffic
from dbvitals.analyse.own_reads import last_counters, with_own_reads
from dbvitals.render import terminal
from dbvitals.render.keyspace_document import overview
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, Looks
from tests.unit.cache.builders import NODE, NOW, counters, report, snapshot

KEYS = 48_000
PASS = KEYS + KEYS // 8 * 2
"""What a run reads of so many keys: PTTL of each, TYPE and OBJECT of one in eight."""


def looked(runs: int = 1, **others: int) -> Looks:
    """What so many runs leave in INFO commandstats, which measure 64 large keys again; and what others have."""
    ours = {"pttl": KEYS, "type": KEYS // 8, "object": KEYS // 8, "memory": KEYS + 64}
    return Looks(**{name: runs * number + others.get(name, 0) for name, number in ours.items()})


def run(hits: int, misses: int, looks: Looks, known: tuple[Counters, ...] = ()) -> KeyspaceSnapshot:
    """A run over a server that has counted so much before it."""
    before = counters(hits=hits, misses=misses, looks=looks)
    after = counters(hits=hits + PASS, misses=misses, own_hits=PASS, at=NOW + timedelta(seconds=9))
    made = snapshot(before=(before,), after=(after,))
    return with_own_reads(made, known, {NODE: more(looks, looked())})


BIGKEYS = Looks(type=KEYS)
"""What `redis-cli --bigkeys` leaves: it counts two hits a key, and one of them by STRLEN, HLEN, ..."""


def test_the_clients_ratio_stays_what_it_is_however_often_we_look() -> None:
    first = run(300, 700, Looks())
    second = run(300 + PASS, 700, looked(), last_counters(first))
    third = run(300 + 2 * PASS, 700, looked(2), last_counters(second))
    assert [traffic(one).ratio for one in (first, second, third)] == [0.3, 0.3, 0.3]
    summary = report(third).summary
    assert (summary.hits, summary.misses, summary.window.own_hits) == (300, 700, 2 * PASS)


def test_a_report_hands_on_what_was_read() -> None:
    made = report(run(300 + PASS, 700, looked(), last_counters(run(300, 700, Looks()))))
    (last,) = made.counters
    assert (last.own_hits, last.own_looks, last.looks) == (2 * PASS, looked(2), looked(2))


@pytest.mark.parametrize("runs", [1, 2, 7])
def test_runs_of_which_no_file_tells_are_known_by_their_looks(runs: int) -> None:
    found = traffic(run(300 + runs * PASS, 700, looked(runs)))
    assert (found.ratio, found.hits, found.misses, found.own_hits) == (0.3, 300, 700, runs * PASS)
    between = traffic(run(300 + (runs + 1) * PASS, 700, looked(runs + 1), last_counters(run(300, 700, Looks()))))
    assert (between.ratio, between.own_hits) == (0.3, (runs + 1) * PASS)


def test_clients_that_use_pttl_beside_such_a_run_stay_clients() -> None:
    """The large keys that the run measured again hide as many of theirs."""
    found = traffic(run(30_900 + PASS, 70_000, looked(pttl=900)))
    assert (found.hits, found.misses, found.own_hits) == (30_900 - 64, 70_000, PASS + 64)


STRANGERS = {
    "bigkeys": BIGKEYS,
    "memkeys": Looks(type=KEYS, memory=KEYS),
    "a pass beside a tool": looked(type=KEYS),
    "a pass without MEMORY": Looks(pttl=KEYS, type=KEYS // 8, object=KEYS // 8),
    "never read": Looks(pttl=KEYS, object=KEYS),
}


@pytest.mark.parametrize("looks", STRANGERS.values(), ids=STRANGERS)
def test_reads_that_cannot_be_told_from_the_clients_leave_no_ratio_and_that_is_said(looks: Looks) -> None:
    seen = run(300 + 2 * KEYS, 700, looks)
    found = traffic(seen)
    assert (found.ratio, found.hits, found.misses) == (None, 0, 0)
    made = report(seen)
    (missing,) = (one for one in made.incomplete if one.part == "hits and misses of a node")
    assert f"{looks.inspections:,} calls of TYPE, OBJECT and MEMORY" in missing.why
    assert "--window" in missing.mend
    drawn = terminal.draw(overview(made, "x"), width=120, color=False)
    assert "not known since the server's start" in drawn
    assert "no reads" not in drawn


def test_clients_that_use_pttl_are_clients() -> None:
    assert traffic(run(300, 700, Looks(pttl=900))).ratio == 0.3
    first = with_own_reads(
        snapshot(before=(counters(hits=300, misses=700),), after=(counters(hits=500 + PASS, own_hits=PASS),)),
        (),
        {NODE: looked(pttl=200)},
    )
    assert last_counters(first)[0].own_looks == looked()


def test_evictions_are_known_although_the_reads_are_not() -> None:
    seen = run(300 + 2 * KEYS, 700, BIGKEYS)
    evicting = structs.replace(seen, before=(structs.replace(seen.before[0], evicted_keys=7),))
    assert traffic(evicting).evicted_keys == 7
    assert "RED003" in {finding.rule for finding in report(evicting).findings}


def test_a_few_looks_by_hand_are_no_reason() -> None:
    assert traffic(run(30_000, 70_000, Looks(type=3))).ratio == 0.3


def test_a_server_that_does_not_tell_leaves_no_ratio() -> None:
    seen = snapshot(before=(counters(hits=3, misses=7, looks=None),))
    assert traffic(seen).ratio is None
    assert "commandstats" in traffic(seen).unusable[0]


@pytest.mark.parametrize(
    "now",
    [{"run_id": "b"}, {"uptime_seconds": 5}, {"hits": 5}, {"looks": Looks(type=8)}],
    ids=lambda one: next(iter(one)),
)
def test_what_was_read_before_the_counters_began_is_not_subtracted(now: dict[str, Any]) -> None:
    known = last_counters(run(300, 700, Looks()))
    later = counters(**{"hits": 90_000, "misses": 900, "looks": looked()} | now)
    seen = with_own_reads(snapshot(before=(later,)), known, {})
    assert seen.before[0].own_hits == 0


def test_of_several_files_the_one_counts_that_knows_most() -> None:
    first = run(300, 700, Looks())
    second = run(300 + PASS, 700, looked(), last_counters(first))
    known = (*last_counters(second), *last_counters(first))
    for order in (known, known[::-1]):
        assert run(300 + 2 * PASS, 700, looked(2), order).before[0].own_hits == 2 * PASS


def test_another_name_of_the_same_server_is_the_same_server() -> None:
    known = tuple(structs.replace(one, node="localhost:6379") for one in last_counters(run(300, 700, Looks())))
    assert run(300 + PASS, 700, looked(), known).before[0].own_hits == PASS


def test_a_run_at_the_same_time_is_not_taken_for_ours() -> None:
    both = with_own_reads(
        snapshot(before=(counters(hits=300, misses=700),), after=(counters(hits=300 + 2 * PASS, own_hits=PASS),)),
        (),
        {NODE: looked(2)},
    )
    (last,) = last_counters(both)
    assert (last.own_hits, last.own_looks, last.looks) == (PASS, looked(), looked(2))


def test_since_a_saved_snapshot_runs_between_are_left_out() -> None:
    first = run(300, 700, Looks())
    second = run(310 + PASS, 730, looked(), last_counters(first))
    for known in (last_counters(second), last_counters(first)):
        found = traffic(run(330 + 2 * PASS, 770, looked(2), known), first)
        assert (found.source, found.hits, found.misses, found.own_hits) == ("saved", 30, 70, PASS)
    unaware = traffic(run(330 + PASS, 770, looked()), first)
    assert (unaware.hits, unaware.misses, unaware.own_hits) == (30, 70, 0)
    strange = run(330 + 2 * PASS, 770, more(looked(), BIGKEYS), last_counters(first))
    assert traffic(strange, first).ratio is None


def test_in_a_window_only_this_run_reads() -> None:
    seen = structs.replace(run(300 + 2 * KEYS, 700, BIGKEYS), window_seconds=9.0)
    assert (traffic(seen).hits, traffic(seen).misses, traffic(seen).own_hits) == (0, 0, PASS)


def test_a_run_that_lost_its_server_hands_on_what_it_had_known() -> None:
    first = run(300, 700, Looks())
    broken_off = structs.replace(run(300 + PASS, 700, looked(), last_counters(first)), after=())
    assert last_counters(broken_off)[0].own_hits == PASS
