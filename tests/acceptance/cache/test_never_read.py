"""`dbvitals cache --never-read`: what nobody reads, in which databases, and that our own looks are not the clients'."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import environment, start, started, wait_for_line
from tests.acceptance.cache.held import held_after
from tests.acceptance.cache.test_command import HERE, at
from tests.acceptance.cache.test_guide import report_in
from tests.integration.cache.ground import client_of, reads_of, run, until

PATIENCE = 60.0
OPTIONS = ("--never-read", "--save", "seen.json")
COMMAND = ["-m", "dbvitals", "cache", *OPTIONS]
TTL = 3_600


def write_aged(client: redis.Redis, prefix: str, number: int, *, read: bool) -> None:
    """Keys written a while ago with one TTL, and used since or not."""
    client.set("model", "x")
    payload = client.dump("model")
    client.delete("model")
    assert payload is not None
    pipeline = client.pipeline(transaction=False)
    for place in range(number):
        age = 60 + place % 1_800
        # The oldest keys tell what the TTL was: some are never read in any case.
        idle = age // 2 if read and place % 10 else age
        pipeline.restore(f"{prefix}:{place}", (TTL - age) * 1_000, payload, idletime=idle)
    pipeline.execute()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


def client_in(server: RedisServer, db: int) -> redis.Redis:
    return client_of(server, db=db)


def last_counters(folder: Path) -> dict[str, Any]:
    (after,) = json.loads((folder / "seen.json").read_text())["after"]
    assert isinstance(after, dict)
    return after


def unread(folder: Path) -> dict[str, dict[str, int]]:
    return {one["pattern"]: one for one in json.loads((folder / "seen.json").read_text())["never_read"]}


def test_every_database_is_looked_at_by_its_share(tmp_path: Path, server: RedisServer) -> None:
    with client_in(server, 0) as first, client_in(server, 3) as third:
        write_aged(first, "first", 3_000, read=True)
        write_aged(third, "third", 1_000, read=False)
    done = start([*COMMAND, "--all-dbs"], tmp_path, environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    found = unread(tmp_path)
    assert found["first:<n>"]["judged"] == pytest.approx(3 * found["third:<n>"]["judged"], rel=0.1)
    assert found["third:<n>"]["never_read"] == found["third:<n>"]["judged"]
    assert found["first:<n>"]["never_read"] < 0.3 * found["first:<n>"]["judged"]
    assert report_in(tmp_path / HERE)["incomplete"] == []
    with client_in(server, 0) as client:
        after = last_counters(tmp_path)
        reads = reads_of(client)
        assert (after["hits"], after["misses"]) == (reads.hits, reads.misses)


def test_without_all_dbs_it_is_one_database(tmp_path: Path, server: RedisServer) -> None:
    with client_in(server, 0) as first, client_in(server, 3) as third:
        write_aged(first, "first", 200, read=False)
        write_aged(third, "third", 200, read=False)
    assert start([*COMMAND, "--db", "3"], tmp_path, environment(server)).returncode == 0
    assert unread(tmp_path).keys() == {"third:<n>"}


def test_a_database_that_may_not_be_selected_is_named_and_the_others_count(tmp_path: Path, server: RedisServer) -> None:
    """The pass reads both; the right goes when it is over."""
    with client_in(server, 0) as first, client_in(server, 3) as third:
        write_aged(first, "first", 400, read=False)
        write_aged(third, "third", 400, read=False)
        run(first, "ACL", "SETUSER", "narrow", "reset", "on", ">pw", "~*", "+@all")
        env = environment(server) | {"REDIS_USERNAME": "narrow", "REDIS_PASSWORD": "pw"}
        with started([*OPTIONS, "--all-dbs", "--window", "6s"], tmp_path, env) as process:
            wait_for_line(process, "counting hits and misses")
            run(first, "ACL", "SETUSER", "narrow", "-select")
            _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    (missing,) = report_in(tmp_path / HERE)["incomplete"]
    assert missing["part"] == f"keys never read on {server.host}:{server.port} from database 3 on"
    assert unread(tmp_path).keys() == {"first:<n>"}


def test_what_it_had_read_before_ctrl_c_is_not_taken_for_the_clients_reads(tmp_path: Path, server: RedisServer) -> None:
    with client_in(server, 0) as client:
        write_aged(client, "first", 2_000, read=False)
        client.config_resetstat()
        with held_after(server, b"IDLETIME", 1_000) as held:
            env = environment(server) | at(str(held.port)) | {"REDIS_PASSWORD": server.password}
            with started([*OPTIONS], tmp_path, env) as process:
                assert held.begun.wait(PATIENCE)
                process.send_signal(signal.SIGINT)
                _, error = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130, error
        after = last_counters(tmp_path)
        assert after["own_hits"] >= 2_000 + 2 * 1_000
        until(lambda: reads_of(client).hits == after["hits"])
        assert after["hits"] == after["own_hits"]
        for _ in range(30):
            client.get("first:1")
            client.get("absent")
    assert [one["part"] for one in report_in(tmp_path / HERE)["incomplete"]] == ["interrupted"]
    # The relay's port is gone, and with it the node's name: the server is asked under the name that it has in the file.
    moved = (tmp_path / "seen.json").read_text().replace(f":{held.port}", f":{server.port}")
    (tmp_path / "seen.json").write_text(moved)
    done = start(["-m", "dbvitals", "cache", "--since", "seen.json"], tmp_path, environment(server))
    assert done.returncode == 0, done.stderr
    summary = report_in(tmp_path / HERE)["summary"]
    assert (summary["hits"], summary["misses"]) == (30, 30)


def test_an_lfu_server_counts_our_look_before_it_refuses(tmp_path: Path, server: RedisServer) -> None:
    with client_in(server, 0) as client:
        client.config_set("maxmemory-policy", "allkeys-lfu")
        client.mset({f"first:{number}": "x" for number in range(50)})
        done = start(COMMAND, tmp_path, environment(server))
        assert done.returncode == 0
        (missing,) = report_in(tmp_path / HERE)["incomplete"]
        assert missing["part"] == f"keys never read on {server.host}:{server.port}"
        assert "LFU" in missing["why"]
        assert last_counters(tmp_path)["hits"] == reads_of(client).hits


def test_keys_that_the_login_may_not_touch_do_not_hide_the_others(tmp_path: Path, server: RedisServer) -> None:
    with client_in(server, 0) as client:
        write_aged(client, "ours", 60, read=False)
        client.mset({f"theirs:{number}": "x" for number in range(2_000)})
        run(client, "ACL", "SETUSER", "narrow", "reset", "on", ">pw", "~ours:*", "+@all")
        env = environment(server) | {"REDIS_USERNAME": "narrow", "REDIS_PASSWORD": "pw"}
        assert start(COMMAND, tmp_path, env).returncode == 0
        assert unread(tmp_path).keys() == {"ours:<n>"}
        after, reads = last_counters(tmp_path), reads_of(client)
        assert (after["hits"], after["misses"]) == (reads.hits, reads.misses)
