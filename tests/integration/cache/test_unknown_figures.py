"""What a login may not ask is no 0 in the report; advice that a real server's encodings and types call for."""

from typing import Any

import pytest

from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.expect import KeyFamily
from dbvitals.model import Finding
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import Client, fill, run, see, target_of
from tests.integration.cache.reports import report_of, rules_of


def report_for(server: RedisServer, client: Client, *rules: str, keys: str = "~*") -> CacheReport:
    """What a login with these rights gets."""
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", keys, "+@all", *rules)
    return report_of(see(target_of(server, user="reader", password="pw")))


def rooms_of(report: CacheReport) -> Any:
    return next(one for one in report.patterns if one.pattern == "availability:*")


@pytest.mark.parametrize("scripts", [(), ("-@scripting",)], ids=["scripts", "pipelines"])
def test_without_pttl_info_tells_how_many_keys_stay_trap_28(
    any_server: RedisServer, any_client: Client, scripts: tuple[str, ...]
) -> None:
    fill(any_client)
    exact = report_for(any_server, any_client).summary.keys_without_ttl
    denied = report_for(any_server, any_client, "-pttl", *scripts)
    assert exact == denied.summary.keys_without_ttl == 340
    assert (rooms_of(denied).no_ttl, rooms_of(denied).count) == (None, 600)


def test_without_memory_usage_no_size_is_known_trap_28(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client)
    denied = report_for(any_server, any_client, "-memory")
    assert (denied.memory.measured_bytes, denied.memory.unaccounted_bytes) == (None, None)
    assert rooms_of(denied).memory_bytes is None
    assert {tenant.memory_bytes for tenant in denied.tenants} == {None}
    assert denied.summary.keys_without_ttl == 340


def test_a_login_of_some_keys_sees_a_part_of_them_trap_28(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client)
    for number in range(300):
        any_client.set(f"availability:photo:{number}", "x" * 50_000, px=600_000)
    part = report_for(any_server, any_client, keys="~session:*")
    forbidden = any_client.dbsize() - 300
    assert part.summary.coverage.confidence == f"partial: {forbidden:,} keys may not be read by this login"
    assert not part.summary.coverage.trusted
    assert part.memory.unaccounted_bytes is None
    assert "RED010" not in rules_of(part)


def test_a_part_of_the_keys_is_not_held_against_the_whole_server(valkey: RedisServer, client: Client) -> None:
    fill(client)
    partial = report_of(see(target_of(valkey), max_seconds=1e-6))
    assert partial.summary.coverage.keys_before == client.dbsize() > partial.summary.total_keys
    assert (partial.memory.unaccounted_bytes, partial.summary.coverage.trusted) == (None, False)


def finding_of(report: CacheReport, rule: str) -> Finding:
    (finding,) = (one for one in report.findings if one.rule == rule)
    return finding


def test_hashes_with_fields_that_expire_have_no_compact_encoding_red011(valkey: RedisServer, client: Client) -> None:
    for number in range(500):
        client.hset(f"guest:{number}", mapping={"token": "x", "name": "y"})
        run(client, "HEXPIRE", f"guest:{number}", 600, "FIELDS", 1, "token")
    assert client.object("encoding", "guest:1") == b"hashtable"
    assert "RED011" not in rules_of(report_of(see(target_of(valkey))))


def test_too_many_short_values_are_not_told_to_be_too_long_red011(any_server: RedisServer, any_client: Client) -> None:
    limit = min(map(str, any_client.config_get("hash-max-*-entries")))  # and not the older name of the same
    before = str(any_client.config_get(limit)[limit])
    any_client.config_set(limit, 16)
    try:
        for number in range(500):
            any_client.hset(f"guest:{number}", mapping=dict.fromkeys(range(20), "xy"))
        finding = finding_of(report_of(see(target_of(any_server))), "RED011")
    finally:
        any_client.config_set(limit, before)
    assert f"or more values than {limit} 16, keep them" in finding.message
    assert finding.action is not None
    assert finding.action.statement == "CONFIG GET hash-max-*"


@pytest.mark.parametrize("kind", ["list", "stream", "zset"])
def test_a_queue_is_declared_with_a_line_that_finds_nothing_in_it_red020(
    valkey: RedisServer, client: Client, kind: str
) -> None:
    for number in range(1_500):
        match kind:
            case "list":
                client.rpush(f"queue:mail:{number}", "x")
            case "stream":
                client.xadd(f"queue:mail:{number}", {"a": "b"})
            case _:
                client.zadd(f"queue:mail:{number}", {"x": 1})
    finding = finding_of(report_of(see(target_of(valkey))), "RED020")
    assert finding.severity == "info"
    assert f"of type {kind}" in finding.message
    assert finding.action is not None
    assert finding.action.statement.endswith("expires=None)")
    family = eval(finding.action.statement, {"KeyFamily": KeyFamily})  # noqa: S307 - the line that a reader copies
    assert family.pattern == "queue:mail:*"
