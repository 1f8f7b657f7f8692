"""Classes of allocators, and which server is taken to follow which model."""

import pytest

from dbvitals.collect import rdb_memory
from dbvitals.collect.rdb_memory import ALLOCATORS, JEMALLOC, LIBC, SYSTEM_JEMALLOC, Allocator, model_of


@pytest.mark.parametrize(
    ("allocator", "asked", "given"),
    [
        (JEMALLOC, 1, 8),
        (JEMALLOC, 17, 24),
        (JEMALLOC, 65, 80),
        (JEMALLOC, 129, 160),
        (JEMALLOC, 4097, 5120),
        (JEMALLOC, 100_006, 114_688),
        (SYSTEM_JEMALLOC, 17, 32),
        (SYSTEM_JEMALLOC, 40, 48),
        (SYSTEM_JEMALLOC, 65, 80),
        (LIBC, 1, 24),
        (LIBC, 25, 40),
        (LIBC, 100_006, 100_008),
    ],
)
def test_a_block_takes_its_class(allocator: Allocator, asked: int, given: int) -> None:
    assert allocator.size(asked) == given


@pytest.mark.parametrize("allocator", ALLOCATORS, ids=lambda allocator: allocator.name)
def test_no_block_is_smaller_than_asked_and_none_shrinks(allocator: Allocator) -> None:
    sizes = [allocator.size(asked) for asked in range(40_000)]
    assert all(size >= asked for asked, size in enumerate(sizes))
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("product", "version", "kind"),
    [
        ("redis", "5.0.14", rdb_memory.Redis6),
        ("redis", "6.2.14", rdb_memory.Redis6),
        ("redis", "7.0.15", rdb_memory.MemoryModel),
        ("redis", "7.2.4", rdb_memory.Redis7),
        ("redis", "7.4.1", rdb_memory.Redis7),
        ("redis", "8.6.0", rdb_memory.Redis8),
        ("redis", "255.255.255", rdb_memory.Redis8),
        ("redis", "", rdb_memory.MemoryModel),
        ("valkey", "8.0.2", rdb_memory.Redis7),
        ("valkey", "8.1.8", rdb_memory.Valkey8),
        ("valkey", "9.1.2", rdb_memory.Valkey9),
    ],
)
def test_the_model_follows_the_server(product: str, version: str, kind: type[rdb_memory.MemoryModel]) -> None:
    assert model_of(product, version) is kind
