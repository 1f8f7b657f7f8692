"""A keyspace of known families: every figure is what was written."""

from benchmarks.truth import compare_quiet
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import Client


def test_counts_times_and_bytes_are_those_of_what_was_written(any_server: RedisServer, any_client: Client) -> None:
    assert any_client.dbsize() == 0
    rows = compare_quiet(any_server, 20_000)
    assert len(rows) == 19
    assert {row["pattern"]: row["bytes off %"] for row in rows if abs(row["bytes off %"]) > 2} == {}
