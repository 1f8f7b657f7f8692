"""What only single keys tell: which of them do not expire, which expire in one moment, which hold fields that do."""

import time

import pytest

from dbvitals.model import Confidence
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import Client, patterns_of, reads_of, run, see, target_of
from tests.integration.cache.reports import report_of, rules_of

WAYS = ["script", "pipeline"]


def way(client: Client, how: str) -> dict[str, str]:
    """The login that has to take this way."""
    if how == "script":
        return {}
    client.acl_setuser("piper", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-@scripting"])
    return {"user": "piper", "password": "pw"}


@pytest.mark.parametrize("how", WAYS)
def test_the_locks_that_do_not_expire_are_named(valkey: RedisServer, client: Client, how: str) -> None:
    for number in range(2_000):
        client.set(f"lock:room:{number}", "x" * (number % 300), px=200_000)
    client.persist("lock:room:777")
    snapshot = see(target_of(valkey, **way(client, how)))
    assert patterns_of(snapshot)["lock:*"].staying == ("lock:*:777",)
    (lock,) = (finding for finding in report_of(snapshot).findings if finding.rule == "RED006")
    assert lock.message.startswith("1 key without TTL (such as lock:*:777)")
    shown = see(target_of(valkey, **way(client, how)), show_keys=True)
    assert patterns_of(shown)["lock:*"].staying == ("lock:room:777",)


@pytest.mark.parametrize("how", WAYS)
def test_keys_that_expire_in_one_second_are_seen_hours_before_red015(
    valkey: RedisServer, client: Client, how: str
) -> None:
    moment = int(time.time()) + 20_000
    for number in range(1_000):
        client.set(f"availability:a:{number}", "x", exat=moment)
        client.set(f"availability:b:{number}", "x", ex=1_000 + 7 * number)
    snapshot = see(target_of(valkey, **way(client, how)))
    peaks = patterns_of(snapshot)["availability:*"].ttl_peaks
    assert sum(keys for second, keys in peaks.items() if moment - 1 <= second <= moment) >= 1_000
    (finding,) = (one for one in report_of(snapshot).findings if one.rule == "RED015")
    span = {one.name: one.value for one in finding.evidence}["span"]
    assert span in (1.0, 2.0)
    assert ", in 6 h; " in finding.message


@pytest.mark.parametrize("how", WAYS)
def test_a_hash_with_one_field_that_stays_stays_trap_23(any_server: RedisServer, any_client: Client, how: str) -> None:
    if "hpexpire" not in {name.lower() for name in any_client.command()}:
        pytest.skip("this server's hashes have no fields that expire")
    for number in range(200):
        any_client.hset(f"session:half:{number}", mapping={"goes": "x", "stays": "x"})
        run(any_client, "HPEXPIRE", f"session:half:{number}", 60_000, "FIELDS", 1, "goes")
        any_client.hset(f"lock:whole:{number}", mapping={"one": "x", "two": "x"})
        run(any_client, "HPEXPIRE", f"lock:whole:{number}", 60_000, "FIELDS", 2, "one", "two")
    login = way(any_client, how)
    any_client.config_resetstat()
    snapshot = see(target_of(any_server, **login))
    seen = patterns_of(snapshot)
    assert (seen["session:*"].expiring_fields, seen["session:*"].types_known > 10) == (0, True)
    assert seen["lock:*"].expiring_fields == seen["lock:*"].types_known > 10
    (after,) = snapshot.after
    assert (after.own_hits, after.own_misses) == (reads_of(any_client).hits, reads_of(any_client).misses)
    assert {"RED002"} == set(rules_of(report_of(snapshot))) & {"RED002", "RED006"}


@pytest.mark.parametrize("how", WAYS)
def test_among_hashes_whose_fields_expire_the_one_lock_that_stays_is_named_trap_23(
    any_server: RedisServer, any_client: Client, how: str
) -> None:
    if "hpexpire" not in {name.lower() for name in any_client.command()}:
        pytest.skip("this server's hashes have no fields that expire")
    for number in range(3_000):
        any_client.set(f"session:{number}", "x", ex=900)
    for number in range(300):
        for key in (f"lock:{number}", f"session:h{number}"):
            any_client.hset(key, "field", "x")
            run(any_client, "HPEXPIRE", key, 600_000, "FIELDS", 1, "field")
    any_client.set("lock:999999", "x")
    login = way(any_client, how)
    any_client.config_resetstat()
    snapshot = see(target_of(any_server, **login), show_keys=True)
    locks = patterns_of(snapshot)["lock:*"]
    assert (locks.no_ttl, locks.no_ttl_asked, locks.no_ttl_expiring) == (301, 301, 300)
    (after,) = snapshot.after
    assert (after.own_hits, after.own_misses) == (reads_of(any_client).hits, reads_of(any_client).misses)
    calls = any_client.info("commandstats")
    assert calls["cmdstat_type"]["calls"] == calls["cmdstat_object|encoding"]["calls"] > 600  # known as ours by that
    findings = {one.rule: one for one in report_of(snapshot).findings}
    assert "RED002" not in findings
    assert findings["RED006"].message.startswith("1 key without TTL (such as lock:999999)")
    assert findings["RED006"].confidence is Confidence.CERTAIN
