"""The rule about encodings: which limit it names, and what has no compact encoding anyway."""

import pytest

from dbvitals.snapshot_keyspace import DatabaseInfo, KeyspaceSnapshot
from tests.unit.cache.builders import found, node, snapshot, stats

VALUE = {"hash-max-listpack-value": "64"}


def hashes(memory_bytes: int, config: dict[str, str], volatile_items: int = 0) -> KeyspaceSnapshot:
    database = DatabaseInfo(index=0, keys=2_000, expires=0, volatile_items=volatile_items)
    small = stats(
        "guest:<n>", [-1] * 2_000, memory_bytes=memory_bytes, types_known=250, encodings={"hash/hashtable": 250}
    )
    return snapshot(small, nodes=(node(config=config, databases=(database,)),))


@pytest.mark.parametrize(("volatile_items", "is_found"), [(2_000, False), (1_001, False), (1_000, True), (0, True)])
def test_hashes_of_which_fields_expire_are_none_of_it_red011(volatile_items: int, is_found: bool) -> None:
    findings = found("RED011", hashes(900, VALUE, volatile_items))
    assert bool(findings) == is_found
    for finding in findings:
        assert {one.name: one.value for one in finding.evidence} == {
            "keys": 2_000 - volatile_items,
            "memory": 900 * (2_000 - volatile_items),
        }


def test_fields_that_expire_say_nothing_about_sets_red011() -> None:
    database = DatabaseInfo(index=0, keys=100, expires=0, volatile_items=100)
    small = stats("tags:<n>", [-1] * 100, memory_bytes=900, types_known=20, encodings={"set/hashtable": 20})
    config = {"set-max-listpack-value": "64"}
    assert found("RED011", snapshot(small, nodes=(node(config=config, databases=(database,)),)))


@pytest.mark.parametrize(
    ("entries", "memory_bytes", "both"), [("16", 1_200, True), ("128", 1_200, False), ("128", 2_048, True)]
)
def test_where_it_may_be_their_number_both_limits_are_named_red011(entries: str, memory_bytes: int, both: bool) -> None:
    (finding,) = found("RED011", hashes(memory_bytes, VALUE | {"hash-max-listpack-entries": entries}))
    assert finding.action is not None
    assert (f"or more values than hash-max-listpack-entries {entries}, keep them" in finding.message) == both
    assert finding.action.statement == ("CONFIG GET hash-max-*" if both else "CONFIG SET hash-max-listpack-value 256")


def test_a_limit_that_is_raised_changes_no_key_that_is_there_red011() -> None:
    action = found("RED011", hashes(900, VALUE))[0].action
    assert action is not None
    assert "written from now on" in action.summary
    assert action.takes == "effect at once, on keys that are written from then on"
