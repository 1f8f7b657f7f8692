"""Names of people in keys: in no report and no kept snapshot, whichever way the keys were read."""

import shutil
from pathlib import Path

import pytest

from dbvitals.analyse.key_renaming import anonymous
from dbvitals.collect.rdb import read_rdb
from dbvitals.output import to_json
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import FOLDING, Client, client_of, run, see, target_of
from tests.integration.cache.reports import report_of

PEOPLE = (b"maria", b"garcia", b"j_smith", b"o'brien", b"perez", b"juan")
KEYS = (
    "user:maria.garcia",
    "user:j_smith",
    "guest:juan:profile",
    "guest:perez:profile",
    "guest:maria:mail",
    "session:maria.garcia:cart",
    "lock:o'brien",
    "hotel7:session:juan",
    "x:" * 70 + "perez",
)


def write(client: Client) -> None:
    for key in KEYS:
        client.set(key, "x" * 40_000)
    for number in range(50):
        client.set(f"room:{number}", "x")
    client.set("stats:count", 1)


def assert_nobody_is_named(seen: KeyspaceSnapshot) -> None:
    report = report_of(seen)
    for text in (to_json(report), to_json(anonymous(seen, FOLDING))):
        assert not [name for name in PEOPLE if name in text]
    shown = {row.pattern: row.count for row in report.patterns}
    assert (shown["room:<n>"], shown["stats:count"], shown["user:*"], shown["guest:*:profile"]) == (50, 1, 2, 2)
    assert sum(shown.values()) == len(KEYS) + 51


@pytest.mark.parametrize("way", ["scripts", "pipelines", "sample"])
def test_a_pass_names_nobody(valkey: RedisServer, client: Client, way: str) -> None:
    write(client)
    rules = ["+@all", *(["-@scripting"] if way == "pipelines" else [])]
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "&*", *rules)
    target = target_of(valkey, user="reader", password="pw")
    if way == "sample":
        seen = see(target, sample=len(KEYS) + 50)  # of the guests it may meet two, who may be `count` and `index` then
        for text in (to_json(report_of(seen)), to_json(anonymous(seen, FOLDING))):
            assert not [name for name in (b"garcia", b"j_smith", b"o'brien") if name in text]
    else:
        assert_nobody_is_named(see(target))


def test_a_dump_names_nobody(tmp_path: Path) -> None:
    with start_redis() as server, client_of(server) as client:
        write(client)
        client.save()
        folder, file = (str(client.config_get(name)[name]) for name in ("dir", "dbfilename"))
        dump = Path(shutil.copy(Path(folder) / file, tmp_path))
    assert_nobody_is_named(read_rdb(dump, FOLDING))
    assert b"maria.garcia" in to_json(report_of(read_rdb(dump, FOLDING, show_keys=True)))


def test_names_that_are_asked_for_are_shown(valkey: RedisServer, client: Client) -> None:
    write(client)
    seen = see(target_of(valkey), show_keys=True)
    assert seen.names_shown
    text = to_json(report_of(seen))
    assert [name for name in PEOPLE if name not in text] == []
