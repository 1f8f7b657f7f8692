"""Version 7 UUIDs: their bits, their order, their independence of threads and forks."""

import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import COUNTER_BITS, Uuid7Generator, uuid7, uuid7_from

MILLISECONDS = st.integers(0, 2**48 - 1)
COUNTERS = st.integers(0, 2**42 - 1)
TAILS = st.integers(0, 2**32 - 1)


def milliseconds_of(identifier: UUID) -> int:
    return identifier.int >> 80


def ticking(readings: Iterable[int]) -> Uuid7Generator:
    return Uuid7Generator(iter(readings).__next__)


def test_example_of_the_rfc() -> None:
    # RFC 9562, appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F at 2022-02-22 14:22:22 -05:00.
    counter = 0xCC3 << 30 | 0x18C4DC0C0C07398F >> 32
    made = uuid7_from(0x017F22E279B0, counter, 0x0C07398F)
    assert made == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(MILLISECONDS, COUNTERS, TAILS)
def test_version_and_variant_are_right_whatever_the_parts(milliseconds: int, counter: int, tail: int) -> None:
    made = uuid7_from(milliseconds, counter, tail)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert milliseconds_of(made) == milliseconds


@given(st.tuples(MILLISECONDS, COUNTERS, TAILS), st.tuples(MILLISECONDS, COUNTERS, TAILS))
def test_uuids_are_ordered_as_their_parts_are(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    assert (uuid7_from(*a) < uuid7_from(*b)) == (a < b)


@pytest.mark.parametrize("parts", [(2**48, 0, 0), (0, 2**42, 0), (0, 0, 2**32), (-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_parts_that_do_not_fit_are_refused(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must fit in"):
        uuid7_from(*parts)


@given(st.lists(st.integers(0, 2**47), min_size=2, max_size=50))
def test_order_holds_whatever_the_clock_does(readings: list[int]) -> None:
    generator = ticking(readings)
    made = [generator() for _ in readings]
    assert all(earlier < later for earlier, later in pairwise(made))


def test_a_clock_set_back_is_waited_for_on_the_last_millisecond() -> None:
    generator = ticking([1000, 10, 11, 1001])
    assert [milliseconds_of(generator()) for _ in range(4)] == [1000, 1000, 1000, 1001]


def test_a_full_counter_moves_on_to_the_next_millisecond() -> None:
    generator = ticking([1000, 1000, 1000])
    first = generator()
    generator._counter = (1 << COUNTER_BITS) - 1
    second, third = generator(), generator()
    assert first < second < third
    assert [milliseconds_of(made) for made in (second, third)] == [1001, 1001]


def test_time_is_the_time_of_making() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    # The last millisecond may have been counted on by an earlier test's burst, never by as much as a second.
    assert before <= milliseconds_of(made) <= time.time_ns() // 1_000_000 + 1000


def test_threads_share_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def let_others_in(_: int) -> int:
        time.sleep(0.0001)
        return 0

    # Without randomness it is the counter alone that keeps threads apart, and a new millisecond is the tricky moment.
    monkeypatch.setattr("secrets.randbits", let_others_in)
    readings = count()
    generator = Uuid7Generator(lambda: next(readings) // 20)
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [generator() for _ in range(100)], range(8)))
    assert all(earlier < later for run in runs for earlier, later in pairwise(run))
    assert len({made for run in runs for made in run}) == 8 * 100


FORKS = r"""
import os
from app.core import ids
ids.uuid7._clock = lambda: 1000
ids.secrets.randbits = lambda bits, draw=ids.secrets.randbits: 0 if bits == ids.TAIL_BITS else draw(bits)
ids.uuid7()
child = os.fork()
os.write(1, f"{ids.uuid7()}\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_child_does_not_make_its_parents_uuids() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first != second
