"""The rule about saving: an outage where writes are refused, a risk where they go on."""

from typing import Any

import msgspec
import pytest
from msgspec import structs

from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import NodeInfo
from tests.unit.cache.builders import found, node, report, snapshot

STOPPING = {"save": "3600 1", "stop-writes-on-bgsave-error": "yes"}


def told(seen: NodeInfo) -> tuple[Severity, str]:
    (finding,) = found("RED024", snapshot(nodes=(seen,)))
    return finding.severity, finding.message


@pytest.mark.parametrize(
    "changes",
    [
        {"save_failed": True, "writes_refused": True},
        {"save_failed": True, "config": STOPPING},
        {"append_failed": True, "append_only": True},
    ],
    ids=["by its word", "by its settings", "append-only file"],
)
def test_refused_writes_are_an_outage_red024(changes: dict[str, Any]) -> None:
    severity, message = told(node(**changes))
    assert (severity, message.startswith("writes are refused")) == (Severity.CRITICAL, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {}},
        {"config": STOPPING | {"save": ""}},
        {"config": STOPPING | {"stop-writes-on-bgsave-error": "no"}},
        {"config": STOPPING, "role": "replica"},
    ],
    ids=["unknown", "no times to save", "writes go on", "replica"],
)
def test_a_failed_save_is_a_risk_where_writes_go_on_red024(changes: dict[str, Any]) -> None:
    severity, message = told(node(save_failed=True, unsaved_changes=7, **changes))
    assert severity is Severity.HIGH
    assert message == "the last save failed: a restart would lose what was written since then"


def test_what_the_append_only_file_has_is_not_lost_red024() -> None:
    assert told(node(save_failed=True, append_only=True)) == (Severity.HIGH, "the last save failed")


def test_a_save_that_went_well_is_not_mentioned_red024() -> None:
    assert not found("RED024", snapshot(nodes=(node(unsaved_changes=7, config=STOPPING),)))


def test_an_older_snapshot_says_nothing_of_what_was_not_asked_then() -> None:
    known = msgspec.json.decode(msgspec.json.encode(node(save_failed=True)))
    fields = {one.name: one for one in structs.fields(NodeInfo)}
    older = {name: value for name, value in known.items() if fields[name].required}
    assert "save_failed" not in older
    seen = msgspec.json.decode(msgspec.json.encode(older), type=NodeInfo)
    assert report(snapshot(nodes=(seen,))).findings == ()
