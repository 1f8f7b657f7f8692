"""Strings of a dump: lengths, numbers, and LZF, which only a server can pack but anybody can spell."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvitals.collect.rdb_strings import RdbError, length_at, read_string, skip_string, unpack_lzf
from tests.unit.collect.rdb.dumped import REDIS_7, length, text, walked


@contextmanager
def mapped(content: bytes) -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, len(content)) as memory:
        memory[:] = content
        yield memory


@given(st.integers(0, (1 << 64) - 1))
def test_a_length_is_read_as_it_was_written(number: int) -> None:
    with mapped(length(number)) as dump:
        assert length_at(dump, 0) == (number, len(dump))


@given(st.binary(max_size=300))
def test_a_string_is_read_and_stepped_over_alike(value: bytes) -> None:
    with mapped(text(value)) as dump:
        assert read_string(dump, 0) == (value, len(dump))
        assert skip_string(dump, 0) == (len(value), len(dump))


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"\xc0\xfe", b"-2"), (b"\xc1\x39\x30", b"12345"), (b"\xc2\x15\xcd\x5b\x07", b"123456789")],
)
def test_numbers_are_read_as_text(content: bytes, value: bytes) -> None:
    with mapped(content) as dump:
        assert read_string(dump, 0) == (value, len(content))
        assert skip_string(dump, 0)[1] == len(content)


def test_a_packed_name_is_unpacked() -> None:
    assert b"repeated-" * 9 in {record[1] for record in walked(REDIS_7.path)}


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=32), st.integers(1, 60), st.integers(3, 263)), max_size=8))
def test_lzf_is_unpacked_as_its_pieces_spell(pieces: list[tuple[bytes, int, int]]) -> None:
    """A run of literals, then a reference so far back and so long, which may reach into itself; and again."""
    packed, plain = bytearray(), bytearray()
    for literals, far, size in pieces:
        packed += bytes([len(literals) - 1]) + literals
        plain += literals
        back = min(far, len(plain))
        packed += _reference(back - 1, size)
        for _ in range(size):
            plain.append(plain[-back])
    assert unpack_lzf(bytes(packed), len(plain)) == bytes(plain)


def _reference(offset: int, size: int) -> bytes:
    if size - 2 < 7:
        return bytes([size - 2 << 5 | offset >> 8, offset & 0xFF])
    return bytes([7 << 5 | offset >> 8, size - 2 - 7, offset & 0xFF])


def test_a_reference_to_what_is_not_there_is_damage() -> None:
    with pytest.raises(RdbError):
        unpack_lzf(b"\x00a\x20\x7f", 4)


def test_a_packed_string_of_another_length_is_damage() -> None:
    with pytest.raises(RdbError, match="the length it claims"):
        unpack_lzf(b"\x00a\x20\x00", 5)


@pytest.mark.parametrize("first", [0x82, 0xC4, 0xFF])
def test_what_is_no_length_is_damage(first: int) -> None:
    with mapped(bytes([first]) + bytes(9)) as dump, pytest.raises(RdbError, match="byte 0"):
        length_at(dump, 0)
