"""What a person sees of a cache report: at every width the advice, how sure it is, and no figure that misleads."""

from typing import Any

import pytest
from msgspec import structs

from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.render import html, markdown, terminal
from dbvitals.render.document import Column, Document, Table
from dbvitals.render.keyspace_document import overview, whole
from dbvitals.render.text import UNKNOWN
from dbvitals.snapshot_keyspace import TenantMemory
from tests.unit.cache.builders import counters, node, report, snapshot, stats

WIDTHS = [60, 80, 100, 120, 200]
ADVICE = "take locks with their TTL in one command"


def drawn(made: CacheReport, width: int = 120) -> str:
    return terminal.draw(overview(made, "x"), width=width, color=False)


def words(text: str) -> str:
    return " ".join(text.split())


def column_of(text: str, header: str) -> str:
    """What stands in the lines of the findings, in one."""
    lines = text.partition("Findings, worst first")[2].partition("Patterns")[0].splitlines()
    start = next(line for line in lines if header in line).index(header)
    return words(" ".join(line[start:] for line in lines))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_advice_and_how_sure_it_is_are_seen_at_every_width(width: int) -> None:
    text = drawn(report(snapshot(stats("lock:*", [-1]))), width)
    assert max(map(len, text.splitlines())) <= width
    seen = column_of(text, "To do" if width >= 100 else "Finding")
    for word in ("To do", *ADVICE.split()):
        assert word in seen
    assert "certain" in text


def test_below_100_columns_the_advice_stands_beneath_its_finding_and_the_rule_goes_first() -> None:
    pattern = "booking:of:a:hotel:with:a:long:name:<n>"
    made = report(snapshot(stats("lock:*", [-1]), stats(pattern, [-1] * 2_000)))
    assert "RED006" in drawn(made, 120)
    assert "RED006" not in drawn(made, 107)
    assert "  To do  " in drawn(made, 107)
    assert "  To do  " not in drawn(made, 99)
    assert ADVICE in column_of(drawn(made, 80), "Finding")


def test_confidence_stands_in_markdown_and_html() -> None:
    made = report(snapshot(stats("lock:*", [-1])))
    assert "| Confidence |" in markdown.draw(whole(made))
    assert "| certain |" in markdown.draw(whole(made))
    assert "Confidence" in html.draw(whole(made))


def test_a_column_that_is_left_out_is_lost_unless_it_has_a_place_below() -> None:
    columns = (
        Column(title="A"),
        Column(title="B", priority=2, below="A"),
        Column(title="C", priority=1),
        Column(title="D", priority=3, below="A"),
    )
    table = Table(columns=columns, rows=(("a" * 9, "b" * 9, "c" * 9, ""),))
    text = terminal.draw(Document(title="t", blocks=(table,)), width=12, color=False)
    assert "B: bbbbbbbbb" in text
    assert "c" not in text
    assert "D:" not in text


def partial(**changes: Any) -> CacheReport:
    made = report(snapshot(stats("a:<n>", [9_000] * 14)))
    made = structs.replace(made, memory=structs.replace(made.memory, unaccounted_bytes=178_000_000))
    coverage = structs.replace(made.summary.coverage, keys_before=200_005, trusted=False, **changes)
    return structs.replace(made, summary=structs.replace(made.summary, coverage=coverage))


def test_a_partial_pass_says_of_how_many_keys_and_compares_no_sums() -> None:
    text = words(drawn(partial(confidence="partial: the keys that were reached")))
    assert "14 of 200,005 by DBSIZE" in text
    assert "partial: the keys that were reached" in text
    assert "beside them" not in text


def test_a_whole_pass_says_what_is_beside_the_keys() -> None:
    made = report(snapshot(stats("a:<n>", [9_000] * 14)))
    made = structs.replace(made, memory=structs.replace(made.memory, unaccounted_bytes=512))
    assert "keys measured 1.4 KiB, 512 B beside them" in drawn(made)
    assert "by DBSIZE" not in drawn(made)


def test_a_sample_that_is_not_trusted_has_no_error_bar() -> None:
    made = partial(mode="sample", confidence="not trustworthy: one of its keys holds 96 %", error_percent=None)
    text = words(drawn(made))
    assert "not trustworthy" in text
    assert "±" not in text
    assert "beside them" not in text


def test_what_is_not_known_is_no_zero() -> None:
    made = report(snapshot(stats("a:<n>", [9_000] * 14)))
    rows = tuple(
        structs.replace(row, no_ttl=None, memory_bytes=None, memory_percent=None) if row.count else row
        for row in made.patterns
    )
    blind = structs.replace(
        made,
        patterns=rows,
        memory=structs.replace(made.memory, measured_bytes=None),
        summary=structs.replace(made.summary, keys_without_ttl=None),
    )
    text = words(drawn(blind, 200))
    assert "not known how many without TTL" in text
    assert "sizes of keys not known" in text
    assert UNKNOWN in text


@pytest.mark.parametrize("now", [{"run_id": "b"}, {"hits": 0}], ids=["started anew", "reset"])
def test_evictions_since_a_snapshot_that_cannot_be_compared_are_not_known(now: dict[str, Any]) -> None:
    earlier = snapshot(after=(counters(hits=500, evicted_keys=9),))
    made = report(snapshot(before=(counters(**{"hits": 600, "evicted_keys": 9} | now),)), earlier=earlier)
    text = drawn(made)
    assert (made.summary.evicted_keys, made.summary.expired_keys) == (None, None)
    assert "Hit ratio  not known since the saved snapshot" in text
    assert "Gone       not known since the saved snapshot" in text
    assert "evicted," not in text


@pytest.mark.parametrize(
    ("host", "title"),
    [("/run/w.sock", "Cache of /run/w.sock, "), ("::1", "Cache of [::1]:6379, "), ("h", "Cache of h:6379, ")],
)
def test_a_socket_has_no_port(host: str, title: str) -> None:
    text = drawn(report(snapshot(nodes=(node(host=host),))))
    assert text.startswith(title)
    assert "/run/w.sock:6379" not in text


def test_the_nodes_are_named_where_keys_and_counters_are_of_others() -> None:
    made = report(snapshot())
    summary = structs.replace(
        made.summary,
        counters_of=("primary:6379",),
        coverage=structs.replace(made.summary.coverage, keys_from=("replica:6380",)),
    )
    text = drawn(structs.replace(made, summary=summary))
    assert "keys from replica:6380, counters of primary:6379" in text


def test_the_true_number_of_tenants_is_told() -> None:
    many = tuple(TenantMemory(tenant=f"t{number}", keys=3, memory_bytes=900) for number in range(100))
    seen = snapshot(stats("session:*", [9_000] * 300), tenants=many, tenants_seen=10_000)
    assert "the largest 100 of 10,000 tenants" in drawn(report(seen))
    assert "the largest" not in drawn(report(structs.replace(seen, tenants_seen=0)))
