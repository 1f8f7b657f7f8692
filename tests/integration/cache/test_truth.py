"""A keyspace of known families: every figure is what was written."""

from benchmarks.truth import compare_quiet
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import Client

OFF_PERCENT, GIANT_OFF_PERCENT = 2, 10
"""Of a giant 1,000 elements are measured, by the server's random order: chance has its part in it."""


def test_counts_times_and_bytes_are_those_of_what_was_written(any_server: RedisServer, any_client: Client) -> None:
    assert any_client.dbsize() == 0
    rows = compare_quiet(any_server, 20_000)
    assert len(rows) == 19
    off = {row["pattern"]: abs(row["bytes off %"]) for row in rows}
    giants = {pattern for pattern in off if pattern.startswith("giant:")}
    assert {pattern: off[pattern] for pattern in off if pattern not in giants and off[pattern] > OFF_PERCENT} == {}
    assert {pattern: off[pattern] for pattern in giants if off[pattern] > GIANT_OFF_PERCENT} == {}
