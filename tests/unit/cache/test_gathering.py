"""What a server answers about its keys, errors among the answers, and what is added up of it."""

from collections.abc import Sequence

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.expectations import FAMILIES
from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect import keyspace_gathering
from dbvitals.collect.keyspace_gathering import NOT_ASKED, Gathering
from dbvitals.collect.keyspace_harvest import GIANT_LEAST, Harvest
from dbvitals.collect.redis_wire import Answer, RefusedError
from dbvitals.snapshot_keyspace import PatternStats

NODE = "redis.example:6379"
NOW_MS = 1_700_000_000_000


def refused(text: str) -> hiredis.ReplyError:
    return hiredis.ReplyError(text)


def gathered(
    keys: Sequence[bytes], ttls: Sequence[Answer], sizes: Sequence[Answer]
) -> tuple[Harvest, dict[str, PatternStats], set[str]]:
    """The harvest, the patterns by name, and the commands that were denied."""
    harvest = Harvest(Folding(FAMILIES), show_keys=False)
    with Gathering(harvest, NODE, 0) as gathering:
        gathering.add(keys, ttls, sizes, NOW_MS)
    return harvest, {stats.pattern: stats for stats in harvest.tally.freeze()}, gathering.denied


@pytest.mark.parametrize(
    "text",
    [
        "MOVED 866 127.0.0.1:7001",
        "ASK 866 127.0.0.1:7001",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN Hash slot not served",
        "ERR Script attempted to access a non local key in a cluster node script: 1f2e",
        "Script attempted to access a slot not served",
    ],
)
def test_a_key_of_another_node_is_gone_and_its_command_is_not_denied_trap_10(text: str) -> None:
    harvest, found, denied = gathered([b"lock:1", b"lock:2"], [refused(text), 500], [refused(text), 72])
    locks = found["lock:*"]
    assert (locks.count, locks.gone, locks.no_ttl, locks.ttl_known, locks.memory_bytes) == (1, 1, 0, 1, 72)
    assert (denied, harvest.errors) == (set(), {})
    assert (harvest.own[NODE].hits, harvest.own[NODE].misses) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "NOPERM this user has no permissions to access one of the keys used as arguments",
        "The user executing the script can't access at least one of the keys mentioned in the command arguments",
        "NOPERM No permissions to access a key",
    ],
)
def test_a_key_that_the_user_may_not_touch_is_counted_apart_trap_28(text: str) -> None:
    _, found, denied = gathered([b"lock:1", b"lock:2"], [refused(text), 500], [refused(text), 72])
    assert (found["lock:*"].count, found["lock:*"].forbidden, denied) == (1, 1, set())


def test_keys_are_counted_where_their_ttl_is_denied_trap_28() -> None:
    denial = refused("NOPERM this user has no permissions to run the 'pttl' command")
    harvest, found, denied = gathered([b"lock:1", b"lock:2"], [denial, denial], [72, 80])
    locks = found["lock:*"]
    assert (locks.count, locks.ttl_known, locks.no_ttl, locks.memory_known, locks.memory_bytes) == (2, 0, 0, 2, 152)
    assert (denied, list(harvest.errors)) == ({"PTTL"}, ["PTTL"])
    assert NODE not in harvest.own


@pytest.mark.parametrize("sizes", [[], [refused("NOPERM no permissions to run the 'memory|usage' command")] * 2])
def test_keys_are_counted_where_their_size_is_denied_or_not_asked(sizes: list[Answer]) -> None:
    harvest, found, denied = gathered([b"lock:1", b"lock:2"], [-1, 500], sizes)
    locks = found["lock:*"]
    assert (locks.count, locks.no_ttl, locks.memory_known, locks.memory_bytes, locks.largest) == (2, 1, 0, 0, ())
    assert (denied, harvest.own[NODE].hits) == ({"MEMORY USAGE"} if sizes else set(), 2)


def test_a_key_that_vanishes_is_gone_also_where_only_its_size_tells_trap_12() -> None:
    _, found, _ = gathered([b"lock:1"], [], [None])
    assert (found["lock:*"].count, found["lock:*"].gone) == (0, 1)
    harvest, found, _ = gathered([b"lock:1", b"lock:2", b"lock:3"], [-2, 10, -1], [None, None, 72])
    locks = found["lock:*"]
    assert (locks.count, locks.gone, locks.no_ttl, locks.memory_known, locks.no_ttl_bytes) == (2, 1, 1, 1, 72)
    assert (harvest.own[NODE].hits, harvest.own[NODE].misses) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "Script attempted to execute a command while the cluster is down",
    ],
)
def test_a_server_that_answers_for_no_key_ends_the_pass_trap_31(text: str) -> None:
    with pytest.raises(RefusedError, match=r"down|busy|loading"):
        gathered([b"lock:1", b"lock:2"], [500, refused(text)], [72, refused(text)])


answers = st.tuples(
    st.sampled_from([b"session:7:a", b"lock:1", b"hotel1:session:7:b", b"cart:9", b"", b"\xff:", b"{session:8}"]),
    st.integers(-1, 10**7),
    st.integers(48, 4 * GIANT_LEAST),
)


@given(st.lists(answers, min_size=1, max_size=30))
def test_a_batch_gives_what_its_keys_give_one_by_one(batch: list[tuple[bytes, int, int]]) -> None:
    """A key that has vanished sends the others of its batch the long way."""
    keys, ttls, sizes = (list(column) for column in zip(*batch, strict=True))
    short, by_pattern, _ = gathered(keys, ttls, sizes)
    long, one_by_one, _ = gathered([*keys, b"gone"], [*ttls, -2], [*sizes, None])
    del one_by_one["gone"]
    assert by_pattern == one_by_one
    assert (sorted(short.giants), short.tenants) == (sorted(long.giants), long.tenants)
    assert sum(stats.count for stats in by_pattern.values()) == len(keys) == short.seen


@pytest.mark.parametrize(("settle_every", "turn_keys"), [(7, 500), (50_000, 5)])
def test_what_is_handed_over_in_parts_is_the_same(
    monkeypatch: pytest.MonkeyPatch, settle_every: int, turn_keys: int
) -> None:
    keys = [name % number for number in range(500) for name in (b"lock:%d", b"session:%d:x")]
    ttls, sizes = [number - 1 for number in range(1_000)], [48 + number for number in range(1_000)]
    whole, at_once, _ = gathered(keys, ttls, sizes)
    monkeypatch.setattr(keyspace_gathering, "SETTLE_EVERY", settle_every)
    monkeypatch.setattr(keyspace_gathering, "TURN_KEYS", turn_keys)
    harvest = Harvest(Folding(FAMILIES), show_keys=False)
    with Gathering(harvest, NODE, 0) as gathering:
        for start in range(0, 1_000, 50):
            gathering.add(keys[start : start + 50], ttls[start : start + 50], sizes[start : start + 50], NOW_MS)
    parts = {stats.pattern: stats for stats in harvest.tally.freeze()}
    assert [replace(one, samples=()) for one in parts.values()] == [
        replace(one, samples=()) for one in at_once.values()
    ]
    assert (harvest.tenants, len(harvest.tenants)) == (whole.tenants, 500)
    locks = parts["lock:*"]
    assert (locks.count, locks.no_ttl, locks.memory_bytes, locks.no_ttl_bytes) == (500, 1, sum(sizes[::2]), 48)
    assert (locks.staying, locks.ttl_peaks) == (("lock:0",), {1_700_000_000: 499})


def test_of_many_keys_fewer_are_asked_for_their_type() -> None:
    with Gathering(Harvest(Folding(FAMILIES), show_keys=False), NODE, 0) as gathering:
        strides = []
        for _ in range(3):
            strides.append(gathering.type_stride)
            gathering.add([b"lock:1"] * 50_000, [1] * 50_000, [72] * 50_000, NOW_MS)
    assert strides == [1, 8, 32]


def test_types_and_their_hits_are_counted_and_what_is_denied_is_left_out() -> None:
    denial = refused("NOPERM this user has no permissions to run the 'object|encoding' command")
    harvest = Harvest(Folding(FAMILIES), show_keys=False)
    with Gathering(harvest, NODE, 0) as gathering:
        gathering.add_types(
            [
                (b"lock:1", -1, b"string", b"raw", None, None),
                (b"lock:2", -1, b"string", denial, None, None),
                (b"lock:3", -1, b"string", NOT_ASKED, None, None),
                (b"lock:4", -1, b"none", None, None, None),
                (b"lock:5", -1, b"hash", b"listpack", 1, [700]),
                (b"lock:6", -1, b"hash", b"listpack", 2, [700, -1]),
                (b"lock:7", -1, refused("NOPERM No permissions to access a key"), NOT_ASKED, None, None),
            ]
        )
    (locks,) = harvest.tally.freeze()
    assert locks.encodings == {"string/raw": 1, "string/": 2, "hash/listpack": 2}
    assert (locks.no_ttl_asked, locks.no_ttl_expiring) == (5, 1)
    assert (locks.types_known, locks.expiring_fields, gathering.denied) == (5, 1, {"OBJECT ENCODING"})
    assert (harvest.own[NODE].hits, harvest.own[NODE].misses) == (2 + 1 + 1 + 4 + 4, 2)
