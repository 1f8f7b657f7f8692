"""The keys of a keyspace of known families: how each is called, what it holds, and when it expires.

The same seed and size make the same keys: availability 34 %, session 20 %, PMS cache 20 %, rate limits 13 %, locks
2 %, tenants 0.8 %, circuit breakers 0.2 %; then names that nobody declared, hostile ones, and four giants.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
GIANT_SHARE = {"hash": 0.3, "zset": 0.2, "set": 0.1, "list": 0.1}
"""Elements of each giant, as a share of the keyspace's keys."""

CORPUS = " ".join(f"{word}={Random(word).getrandbits(40):x}" for word in map(str, range(20_000)))

Value = str | int | float
Command = tuple[bytes | Value, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A key to be written: the commands that make it, its pattern, and its time to live in milliseconds."""

    name: bytes
    pattern: str
    commands: tuple[Command, ...]
    ttl_ms: int | None


def keyspace(keys: int, random: Random) -> Iterator[Key]:
    """All keys of a keyspace of about so many. The ones that expire soonest come last."""
    yield from _giants(keys)
    yield from HOSTILE
    for share, make in FAMILIES:
        for number in range(round(keys * share)):
            yield make(number, random)


def _string(pattern: str, name: str | bytes, value: bytes | str | int, ttl_ms: int | None) -> Key:
    raw = name.encode() if isinstance(name, str) else name
    return Key(raw, pattern, (("SET", raw, value),), ttl_ms)


def _collection(pattern: str, name: str, command: str, values: Sequence[Value], ttl_ms: int | None) -> Key:
    raw = name.encode()
    steps = range(0, len(values), 1_000)
    return Key(raw, pattern, tuple((command, raw, *values[step : step + 1_000]) for step in steps), ttl_ms)


def _text(random: Random, shortest: int, longest: int) -> str:
    """Words and numbers, of which LZF saves little, as of the JSON that services keep."""
    start = random.randrange(len(CORPUS) - longest)
    return CORPUS[start : start + random.randrange(shortest, longest)]


def _availability(number: int, random: Random) -> Key:
    name = f"availability:hotel-{number % 97:03}:2026-{1 + number % 12:02}-{1 + number % 28:02}:{number}"
    return _string("availability:*", name, _text(random, 90, 400), random.randrange(30 * SECOND, 15 * MINUTE))


def _session(number: int, random: Random) -> Key:
    name = f"session:{UUID(int=random.getrandbits(128), version=4)}"
    # One in forty has lost its TTL; one in fifty carries a text that is too long for a listpack.
    ttl = None if number % 40 == 0 else random.randrange(HOUR, DAY)
    fields: list[Value] = ["guest", number, "state", "booking", "language", "es", "last", _text(random, 20, 60)]
    if number % 50 == 0:
        fields += ["history", _text(random, 300, 900)]
    return _collection("session:*", name, "HSET", fields, ttl)


def _pms_cache(number: int, random: Random) -> Key:
    return _string(
        "pms_cache:*", f"pms_cache:rates:{number}", _text(random, 150, 1_200), random.randrange(MINUTE, HOUR)
    )


def _rate_limit(number: int, random: Random) -> Key:
    name = f"rate_limit:{random.getrandbits(32)}.{number}"
    if number % 3:
        return _string("rate_limit:*", name, random.randrange(1_000_000), random.randrange(2 * SECOND, MINUTE))
    calls = [part for _ in range(1 + number % 6) for part in (random.random(), f"call-{random.getrandbits(40)}")]
    return _collection("rate_limit:*", name, "ZADD", calls, random.randrange(2 * SECOND, MINUTE))


def _lock(number: int, random: Random) -> Key:
    ttl = None if number % 400 == 0 else random.randrange(300, 30 * SECOND)
    return _string("lock:*", f"lock:room:{number}", f"{random.getrandbits(64):016x}", ttl)


def _tenant(number: int, random: Random) -> Key:
    fields = ["name", f"Hotel {number}", "zone", "Europe/Madrid", "settings", _text(random, 100, 300)]
    return _collection("tenant:*", f"tenant:{number}:config", "HSET", fields, None)


def _breaker(number: int, random: Random) -> Key:
    fields: list[Value] = ["state", number % 3, "failures", random.randrange(9)]
    return _collection("circuit_breaker:*", f"circuit_breaker:pms-{number}", "HSET", fields, 30 * DAY)


def _cart(number: int, random: Random) -> Key:
    items = [f"item-{random.randrange(500)}" for _ in range(2 + number % 30)]
    return _collection("cart:<n>:items", f"cart:{number}:items", "RPUSH", items, 7 * DAY)


def _visited(number: int, random: Random) -> Key:
    rooms = [random.randrange(30_000) for _ in range(3 + number % 60)]
    return _collection("visited:<n>", f"visited:{number}", "SADD", rooms, DAY)


def _tags(number: int, random: Random) -> Key:
    words = [f"tag-{random.randrange(900)}" for _ in range(5 + number % 150)]
    return _collection("tags:<n>", f"tags:{number}", "SADD", words, None)


def _mail(number: int, random: Random) -> Key:
    name = f"mail:guest{number}@hotel{number % 50}.example"
    return _string("mail:<email>", name, _text(random, 30, 90), random.randrange(HOUR, 2 * DAY))


def _token(number: int, random: Random) -> Key:
    return _string("token:<hex>", f"token:{random.getrandbits(128):032x}", number, 10 * MINUTE)


def _led(number: int, random: Random) -> Key:
    """A tenant's name before the family's."""
    name = f"hotel{number % 20:02}:availability:{number}"
    return _string("*:availability:*", name, _text(random, 90, 400), random.randrange(30 * SECOND, 15 * MINUTE))


def _binary(number: int, random: Random) -> Key:
    name = b"bin:\x00" + bytes(0x80 | random.getrandbits(7) for _ in range(12))
    return _string("bin:<bytes>", name, b"\x00" * (1 + number % 90), None)


def _events(number: int, random: Random) -> Key:
    name = f"events:{number}"
    entries = tuple(
        ("XADD", name.encode(), f"{1 + entry}-0", "kind", "booking", "guest", random.randrange(10_000))
        for entry in range(1 + number % 40)
    )
    return Key(name.encode(), "events:<n>", entries, None)


FAMILIES = (
    (0.34, _availability),
    (0.20, _session),
    (0.20, _pms_cache),
    (0.008, _tenant),
    (0.002, _breaker),
    (0.02, _cart),
    (0.02, _visited),
    (0.005, _tags),
    (0.015, _mail),
    (0.02, _token),
    (0.01, _led),
    (0.009, _binary),
    (0.001, _events),
    (0.13, _rate_limit),
    (0.02, _lock),
)

HOSTILE = tuple(
    _string("hostile", name, b"x", None)
    for name in (
        b"",
        b"*",
        b"two\nlines",
        b":leading",
        b"SESSION:upper",
        b"locksmith",
        b"cart{tag}",
        b'"quoted","csv"',
        b"<script>alert(1)</script>",
        "\N{HOTEL}".encode() * 16,
    )
)


def _giants(keys: int) -> Iterator[Key]:
    """Four keys that hold a large part of the memory."""
    counts = {kind: max(600, round(keys * share)) for kind, share in GIANT_SHARE.items()}
    fields = [part for n in range(counts["hash"]) for part in (f"room-{n:07}", f"{n:07}" * (1 + n % 12))]
    scores = [part for n in range(counts["zset"]) for part in (n / 2, f"guest-{n:07}")]
    yield _collection("giant:hash", "giant:hash", "HSET", fields, None)
    yield _collection("giant:zset", "giant:zset", "ZADD", scores, None)
    yield _collection("giant:set", "giant:set", "SADD", [f"code-{n:07}" for n in range(counts["set"])], None)
    yield _collection("giant:list", "giant:list", "RPUSH", [f"job-{n:07}" for n in range(counts["list"])], None)
