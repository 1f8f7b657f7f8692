"""Ways to go over a keyspace without dbvitals: `python -m benchmarks._cache_ways scan|redis-py URL`."""

import sys

from redis import Redis

from benchmarks.keyspace_loader import connected

SCAN_COUNT = 500
PIPELINE = 1_000


def scan(url: str) -> int:
    """Names alone, one page after the other: no pass can be faster."""
    cursor, keys = b"0", 0
    with connected(url) as connection:
        while True:
            ((cursor, page),) = connection.send([("SCAN", cursor, "COUNT", SCAN_COUNT)])
            keys += len(page)
            if cursor == b"0":
                return keys


def redis_py(url: str) -> int:
    """TTL and memory of every key by redis-py's pipelines."""
    keys = 0
    with Redis.from_url(url) as client:
        page: list[bytes] = []
        for key in client.scan_iter(count=PIPELINE):
            page.append(key)
            if len(page) == PIPELINE:
                keys += _ask(client, page)
                page = []
        return keys + _ask(client, page)


def _ask(client: Redis, page: list[bytes]) -> int:
    with client.pipeline(transaction=False) as pipe:
        for key in page:
            pipe.pttl(key)
            pipe.memory_usage(key)
        return len(pipe.execute()) // 2


if __name__ == "__main__":
    way, address = sys.argv[1:]
    print({"scan": scan, "redis-py": redis_py}[way](address))
