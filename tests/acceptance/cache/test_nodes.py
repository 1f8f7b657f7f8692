"""Additions to the pass over a cluster: a node that fails costs its own part, and is named."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dbvitals.sandbox import RedisServer
from tests.acceptance.cache.conftest import environment, start
from tests.acceptance.cache.test_additions import page, service
from tests.acceptance.cache.test_command import HERE
from tests.acceptance.cache.test_guide import report_in
from tests.integration.cache.ground import client_of, cluster, reads_of, run

ADDITIONS = ("--never-read", "--keymiss", "500ms", "--yes", "--save", "seen.json")


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with cluster(3) as servers:
        with redis.RedisCluster(host=servers[0].host, port=servers[0].port, password=servers[0].password) as client:
            for number in range(900):
                client.set(f"room:{number}", "x", ex=900)
        yield servers[:3]


def missing(folder: Path) -> dict[str, str]:
    return {one["part"]: one["why"] for one in report_in(folder / HERE)["incomplete"]}


def name_of(server: RedisServer) -> str:
    return f"{server.host}:{server.port}"


def test_a_node_that_denies_is_named_and_the_others_reads_are_known(tmp_path: Path, nodes: list[RedisServer]) -> None:
    for node in nodes:
        with client_of(node) as client:
            run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "&*", "+@all")
            client.config_resetstat()
    with client_of(nodes[1]) as client:
        run(client, "ACL", "SETUSER", "reader", "-object", "-config|set")
    env = environment(nodes[0]) | {"REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"}
    done = start(["-m", "dbvitals", "cache", *ADDITIONS], tmp_path, env)
    assert (done.returncode, done.stderr) == (0, "")
    found = missing(tmp_path)
    assert found[f"keys never read on {name_of(nodes[1])}"].startswith("OBJECT IDLETIME is refused")
    assert found[f"misses on {name_of(nodes[1])}"].startswith("CONFIG SET is refused")
    assert not [part for part in found for node in (nodes[0], nodes[2]) if name_of(node) in part]
    after = {one["node"]: one for one in json.loads((tmp_path / "seen.json").read_text())["after"]}
    for node in nodes:
        with client_of(node) as client:
            reads = reads_of(client)
        assert (after[name_of(node)]["hits"], after[name_of(node)]["misses"]) == (reads.hits, reads.misses)
        # 300 keys of the node, each asked once by the pass; then its share of the sample, two hits a key.
        assert (after[name_of(node)]["own_hits"] > 5_000) == (node is not nodes[1])


# The last of the room: it leaves the cluster without its third node.
def test_a_node_that_goes_down_after_the_pass_costs_its_own_part(tmp_path: Path, nodes: list[RedisServer]) -> None:
    def die() -> bytes:
        nodes[2].stop()
        return page(1, 1)

    with service(die) as address:
        command = ["-m", "dbvitals", "cache", "--metrics", address, *ADDITIONS]
        done = start(command, tmp_path, environment(nodes[0]))
    assert (done.returncode, done.stderr) == (0, "")
    found = missing(tmp_path)
    assert found[f"keys never read on {name_of(nodes[2])}"].startswith("cannot connect to ")
    assert found[f"misses on {name_of(nodes[2])}"].startswith("cannot connect to ")
    assert not [part for part in found for node in nodes[:2] if name_of(node) in part]
    after = {one["node"]: one["own_hits"] for one in json.loads((tmp_path / "seen.json").read_text())["after"]}
    assert [after[name_of(node)] > 5_000 for node in nodes] == [True, True, False]
    assert report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] == 900
