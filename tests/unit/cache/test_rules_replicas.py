"""The rule about replicas: whose word it goes by, which of several is meant, and what is ordinary."""

from typing import Any

import pytest

from dbvitals.collect.redis_info import node_info
from dbvitals.collect.redis_wire import Wire
from dbvitals.model import Finding, Severity
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import NodeInfo, ReplicaInfo
from tests.unit.cache.builders import found, node, snapshot

MIB = 1024 * 1024


def replica(**changes: Any) -> NodeInfo:
    return node(name="replica:6379", role="replica", **changes)


def primary(*replicas: tuple[str, int, float]) -> NodeInfo:
    known = (ReplicaInfo(name=name, behind_bytes=behind, silent_seconds=silent) for name, behind, silent in replicas)
    return node(replicas=tuple(known))


def finding_of(*nodes: NodeInfo) -> Finding:
    (finding,) = found("RED017", snapshot(nodes=nodes))
    return finding


@pytest.mark.parametrize("seconds", [10.0, 20.0, 29.0])
def test_the_silence_between_two_pings_is_ordinary_red017(seconds: float) -> None:
    assert not found("RED017", snapshot(nodes=(node(), replica(lag_seconds=seconds, lag_bytes=0))))


def test_a_replica_that_hears_nothing_loses_nothing_as_far_as_one_knows_red017() -> None:
    finding = finding_of(replica(lag_seconds=31.0, lag_bytes=0))
    assert finding.message == "this replica has heard nothing from its primary for 31 s"
    assert "lose" in finding_of(replica(lag_bytes=20 * MIB)).message


def test_a_replica_without_its_primary_serves_the_past_red017() -> None:
    finding = finding_of(replica(link="down", link_down_seconds=130.0))
    assert (finding.severity, finding.subject.name) == (Severity.HIGH, "replica:6379")
    assert "down for 2 min: it serves the past" in finding.message
    assert "down: it" in finding_of(replica(link="down", link_down_seconds=0.0)).message


def test_a_replica_without_a_first_copy_is_none_red017() -> None:
    assert finding_of(replica(link="never")).severity is Severity.HIGH
    assert "never reached its primary" in finding_of(replica(link="never")).message
    assert finding_of(replica(link="copying")).severity is Severity.MEDIUM


def test_a_replica_that_acknowledges_nothing_is_known_to_its_primary_red017() -> None:
    finding = finding_of(primary(("10.0.0.2:6379", 0, 23.0)))
    assert finding.message == "replica 10.0.0.2:6379 has acknowledged nothing for 23 s"
    assert not found("RED017", snapshot(nodes=(primary(("10.0.0.2:6379", 0, 1.0)),)))


def test_the_worst_is_named_and_the_best_takes_over_red017() -> None:
    finding = finding_of(primary(("a:1", MIB, 0.0), ("b:1", 30 * MIB, 0.0), ("c:1", 20 * MIB, 0.0)))
    assert finding.message == "replica b:1 is behind by 30 MiB, and 1 more like it"
    finding = finding_of(primary(("a:1", 20 * MIB, 12.0), ("b:1", 30 * MIB, 12.0)))
    assert finding.message == (
        "replica b:1 is behind by 30 MiB and has acknowledged nothing for 12 s, and 1 more like it: "
        "a failover would lose these writes"
    )


class Told(Wire):
    """A connection that was never made: INFO is given."""

    def __init__(self) -> None:
        self.target = RedisTarget(host="primary", port=6379)
        self.name = self.target.name
        self.refuses_writes = False


def told(**info: str) -> NodeInfo:
    return node_info(Told(), info, {})


def test_only_replicas_that_have_their_copy_are_behind_red017() -> None:
    building = told(
        role="master",
        master_repl_offset="28311552",
        slave0="ip=10.0.0.2,port=6379,state=online,offset=28311552,lag=0",
        slave1="ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0",
        slave2="ip=10.0.0.4,port=6379,state=send_bulk,offset=0,lag=0,type=replica",
    )
    assert building.replicas == (ReplicaInfo(name="10.0.0.2:6379", behind_bytes=0, silent_seconds=0.0),)
    assert not found("RED017", snapshot(nodes=(building,)))


@pytest.mark.parametrize(
    ("status", "since", "copying", "link"),
    [
        ("up", None, "0", "up"),
        ("down", "12", "0", "down"),
        ("down", "12", "1", "down"),
        ("down", "-1", "1", "copying"),
        ("down", "-1", "0", "never"),
    ],
)
def test_what_a_replica_says_of_its_link(status: str, since: str | None, copying: str, link: str) -> None:
    info = {"role": "slave", "master_link_status": status, "master_sync_in_progress": copying}
    info |= {} if since is None else {"master_link_down_since_seconds": since}
    told_of = told(**info, master_last_io_seconds_ago="-1")
    assert (told_of.link, told_of.lag_seconds) == (link, None)


def test_a_primary_has_no_link() -> None:
    assert (told(role="master").link, told(role="master").link_down_seconds) == ("up", None)
