"""Every key of a dump, whatever server wrote it, with its expiry, its encoding and about its size."""

import math
from pathlib import Path
from random import Random

import pytest

from dbvitals.collect.rdb_file import DumpFile
from dbvitals.collect.rdb_memory import model_of
from dbvitals.collect.rdb_records import Walk
from dbvitals.collect.rdb_strings import RdbError
from tests.unit.collect.rdb.dumped import ALL, REDIS_7, Dump, handmade, length, text, walked

ON_EVERY = pytest.mark.parametrize("dump", ALL, ids=lambda dump: dump.name)
STRING, END_OF_MODULE = b"\x00", b"\x00"


@ON_EVERY
def test_every_key_of_every_database_is_there(dump: Dump) -> None:
    found = [(record[0], record[1]) for record in walked(dump.path, dump.model)]
    expected = [(0, name) for name in dump.said()] + [(0, b"gone"), (3, b"elsewhere")]
    assert sorted(found) == sorted(expected)


@ON_EVERY
def test_expiry_and_encoding_are_those_of_the_server(dump: Dump) -> None:
    said = dump.said()
    for _, name, expiry, _, encoding, _, _ in walked(dump.path, dump.model):
        if name in said:
            assert (name, -1 if expiry is None else expiry) == (name, said[name].expires_at)
            assert (name, encoding) == (name, said[name].encoding)


ALLOCATOR_STEP = 16
# Tables that were still being moved to a larger one when the server was asked, and what a stream's trees take.
ROUGH = {b"set:large", b"zset:large", b"hash:large", b"hash:numbers", b"set:small", b"stream", b"stream:small"}


@ON_EVERY
def test_a_size_is_what_the_server_says(dump: Dump) -> None:
    said = dump.said()
    for _, name, _, size, _, _, _ in walked(dump.path, dump.model):
        if name in said:
            near = math.isclose(
                size, said[name].memory_bytes, rel_tol=0.12 if name in ROUGH else 0.02, abs_tol=ALLOCATOR_STEP
            )
            assert near, (name, size, said[name])


@ON_EVERY
def test_the_sum_is_what_the_server_says(dump: Dump) -> None:
    said = dump.said()
    total = sum(record[3] for record in walked(dump.path, dump.model) if record[1] in said)
    assert math.isclose(total, sum(one.memory_bytes for one in said.values()), rel_tol=0.05)


@ON_EVERY
def test_a_dump_says_who_wrote_it(dump: Dump) -> None:
    with DumpFile(dump.path) as file:
        assert f"{file.about.product}-{file.about.version}".startswith(dump.name)
        assert file.about.format == dump.format
        assert file.about.made_at is not None
        assert model_of(file.about.product, file.about.version) is type(dump.model)


@ON_EVERY
def test_a_dump_that_is_cut_off_anywhere_is_refused(dump: Dump, tmp_path: Path) -> None:
    whole = dump.path.read_bytes()
    random = Random(1)
    end = whole.rindex(b"\xff", 0, len(whole) - 8)  # after it comes only the checksum
    for _ in range(80):
        cut = tmp_path / "cut.rdb"
        cut.write_bytes(whole[: random.randrange(1, end)])
        with pytest.raises(RdbError):
            walked(cut)


@ON_EVERY
def test_no_damage_leads_to_anything_but_a_plain_error(dump: Dump, tmp_path: Path) -> None:
    whole = dump.path.read_bytes()
    random = Random(2)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            damaged[random.randrange(9, len(whole))] = random.randrange(256)
        path = tmp_path / "damaged.rdb"
        path.write_bytes(damaged)
        try:
            walked(path)
        except RdbError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"hello world, this is text", "no dump"),
        (b"\x1f\x8b\x08\x00" + bytes(30), "no dump"),
        (b"REDIS0099" + bytes(30), "version 99"),
        (b"VALKEY099" + bytes(30), "version 99"),
        (b"REDIS0011", "ends too early"),
    ],
)
def test_what_is_no_dump_is_said_in_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "some.rdb"
    path.write_bytes(content)
    with pytest.raises(RdbError, match=why):
        walked(path)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RdbError, match=r"cannot be read: No such file"):
        walked(tmp_path / "none.rdb")


def test_an_unknown_type_names_its_place(tmp_path: Path) -> None:
    path = handmade(tmp_path / "new.rdb", STRING, text(b"a"), text(b"b"), b"\x63", text(b"new"), text(b"?"))
    with pytest.raises(RdbError, match="newer than known: 99 at byte 14"):
        walked(path)


def test_old_expiries_are_seconds(tmp_path: Path) -> None:
    path = handmade(tmp_path / "old.rdb", b"\xfd\x10\x00\x00\x00", STRING, text(b"k"), text(b"v"), header=b"REDIS0009")
    assert [record[2] for record in walked(path)] == [16_000]


def test_an_expiry_is_of_one_key_only(tmp_path: Path) -> None:
    expiry = b"\xfc" + (99).to_bytes(8, "little")
    path = handmade(tmp_path / "two.rdb", expiry, STRING, text(b"a"), text(b""), STRING, text(b"b"), text(b""))
    assert [record[1:3] for record in walked(path)] == [(b"a", 99), (b"b", None)]


def test_what_modules_attach_to_keys_is_stepped_over(tmp_path: Path) -> None:
    parts = length(2) + length(300) + length(5) + text(b"opaque") + length(4) + bytes(8) + length(3) + bytes(4)
    metadata = b"\xf3" + length(1) + b"spec" + parts + END_OF_MODULE
    auxiliary = b"\xf7" + length(1 << 40) + length(2) + length(1) + parts + END_OF_MODULE
    value = b"\x07" + text(b"graph") + length(1 << 60) + parts + END_OF_MODULE
    path = handmade(tmp_path / "modules.rdb", auxiliary, metadata, STRING, text(b"k"), text(b"v"), value)
    assert [(record[1], record[4]) for record in walked(path)] == [
        (b"k", "string/embstr"),
        (b"graph", "module/module"),
    ]


def test_valkey_means_something_else_by_the_same_number(tmp_path: Path) -> None:
    slots = b"\xf3" + text(b"j" * 40) + length(1) + length(0) + length(5000)
    path = handmade(tmp_path / "slots.rdb", slots, STRING, text(b"k"), text(b"v"), header=b"VALKEY080")
    assert [record[1] for record in walked(path)] == [b"k"]


def test_a_stream_of_the_latest_format(tmp_path: Path) -> None:
    """No server that can be had here writes it: the producers of messages after the groups, as Redis 8.6 documents."""
    blocks = length(1) + text(bytes(16)) + text(bytes(40))
    ids = b"".join(map(length, (3, 1_700_000_000_000, 0, 1_700_000_000_000, 0, 0, 0, 3)))
    pending = length(1) + bytes(16) + bytes(8) + length(2)
    group = text(b"g") + length(5) + length(0) + length(3) + pending + length(1) + text(b"c") + bytes(16) + length(1)
    producers = length(100) + length(100) + length(1) + text(b"p") + length(1) + text(b"iid") + length(7) + length(0)
    stream = b"\x1a" + text(b"s") + blocks + ids + length(1) + group + bytes(16) + producers + length(1) + length(0)
    path = handmade(tmp_path / "stream.rdb", stream, STRING, text(b"after"), text(b"v"))
    assert [(record[1], record[4]) for record in walked(path)] == [(b"s", "stream/stream"), (b"after", "string/embstr")]


def test_memory_of_the_file_is_given_back_as_it_is_read(tmp_path: Path) -> None:
    value = text(bytes(1 << 20))
    path = handmade(tmp_path / "large.rdb", *(STRING + text(b"%d" % n) + value for n in range(40)))
    with DumpFile(path) as file:
        assert file.dump[:].count(b"\x01") > 0  # all of it is in memory now
        before = _resident(path)
        for _ in Walk(file, REDIS_7.model).records():
            pass
        assert before > 30 << 20
        assert _resident(path) < 20 << 20


def _resident(path: Path) -> int:
    """Bytes of the file that lie in this process's memory."""
    found = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:  # the head of a mapping: its addresses, and the file
            found = line.endswith(str(path))
        if found and line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    return 0
