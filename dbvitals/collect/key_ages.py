"""Idle time and remaining TTL of keys taken at random: what an estimate of keys never read is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import hiredis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import GONE
from dbvitals.analyse.never_read import KeyAge
from dbvitals.collect.redis_wire import Answer, LostError, RefusedError, Wire
from dbvitals.model import Skipped

BATCH = 100
CURSOR_BITS = 48
FRUITLESS_ROUNDS = 50
"""So many pages without a key, one after the other: there are none to be had."""
PART = "keys never read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Ages of the sampled keys that expire, and the hits and misses that asking has caused."""

    ages: tuple[KeyAge, ...]
    own_hits: int
    own_misses: int
    skipped: tuple[Skipped, ...] = ()


def sample_ages(wire: Wire, folding: Folding, *, keys: int, random: Random) -> Ages:
    """Look at about so many keys of the selected database. Neither command counts as a use of the key.

    Under an LFU policy a server keeps no idle times; then, and where a command is denied, `skipped` says so.
    """
    try:
        refusal = _refusal(wire)
        return refusal or _sample(wire, folding, keys, random)
    except (RefusedError, LostError) as error:
        return _nothing(f"{wire.name}: {error}", "run again, or with a login that may use SCAN")


def _refusal(wire: Wire) -> Ages | None:
    """Why nothing can be told, from one random key; None when it can."""
    key = wire.call("RANDOMKEY")
    if key is None:
        return Ages(ages=(), own_hits=0, own_misses=0)
    try:
        wire.call("OBJECT", "IDLETIME", key)
    except RefusedError as error:
        if "LFU" in error.text:
            return _nothing("under an LFU policy the server keeps no idle times", "use an LRU policy, or --keymiss")
        return _nothing(f"OBJECT IDLETIME is refused: {error}", "allow +object|idletime")
    return None


def _sample(wire: Wire, folding: Folding, keys: int, random: Random) -> Ages:
    ages: list[KeyAge] = []
    hits, misses, left, fruitless = 1, 0, keys, 0  # the first hit is of the random key
    while left > 0 and fruitless < FRUITLESS_ROUNDS:
        names = _names(wire, min(left, BATCH), random)[:left]
        fruitless = 0 if names else fruitless + 1
        wire.send([words for name in names for words in (("OBJECT", "IDLETIME", name), ("PTTL", name))])
        answers = wire.receive(2 * len(names))
        for name, idle, ttl in zip(names, answers[::2], answers[1::2], strict=True):
            misses += (idle is None) + (ttl == GONE)
            hits += isinstance(idle, int) + (isinstance(ttl, int) and ttl != GONE)
            if age := _age(folding.pattern_of(name), idle, ttl):
                ages.append(age)
        left -= len(names)
    return Ages(ages=tuple(ages), own_hits=hits, own_misses=misses)


def _names(wire: Wire, number: int, random: Random) -> list[bytes]:
    wire.send([("SCAN", random.getrandbits(CURSOR_BITS), "COUNT", 1) for _ in range(number)])
    pages: Sequence[Answer] = wire.receive(number)
    for page in pages:
        if isinstance(page, hiredis.ReplyError):
            raise RefusedError(str(page))
    return [name for page in pages for name in page[1]]


def _age(pattern: str, idle: Answer, ttl: Answer) -> KeyAge | None:
    """None for a key that is gone, does not expire, or may not be asked about."""
    if not isinstance(idle, int) or not isinstance(ttl, int) or ttl < 0:
        return None
    return KeyAge(pattern=pattern, idle=float(idle), left=ttl / 1000)


def _nothing(why: str, mend: str) -> Ages:
    return Ages(ages=(), own_hits=0, own_misses=0, skipped=(Skipped(part=PART, why=why, mend=mend),))
