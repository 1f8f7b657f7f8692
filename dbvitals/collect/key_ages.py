"""Idle time and remaining TTL of keys taken at random: what an estimate of keys never read is made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import hiredis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import GONE
from dbvitals.analyse.never_read import KeyAge
from dbvitals.collect.redis_wire import Answer, LostError, RefusedError, Wire, is_key_denial
from dbvitals.model import Skipped

BATCH = 100
CURSOR_BITS = 48
FRUITLESS_ROUNDS = 50
"""So many pages without a key, one after the other: there are none to be had."""
PART = "keys never read"


@dataclass(slots=True)
class Ages:
    """Ages of the sampled keys of one node that expire, and the hits and misses that asking has caused so far.

    They are right at any moment, also when the sampling is stopped: what has been sent counts as a hit until the answer
    says what it was.
    """

    ages: list[KeyAge] = field(default_factory=list)
    own_hits: int = 0
    own_misses: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def sample_ages(wire: Wire, folding: Folding, *, keys: int, random: Random, ages: Ages | None = None) -> Ages:
    """Look at about so many keys of the selected database, and add them to `ages`. No command is a use of the key.

    Under an LFU policy a server keeps no idle times; then, and where a command is denied, `skipped` says so.
    """
    ages = Ages() if ages is None else ages
    try:
        refusal = _refusal(wire, ages)
        if refusal is None:
            _sample(wire, folding, keys, random, ages)
    except (RefusedError, LostError) as error:
        refusal = str(error), "run again, or with a login that may use SCAN and RANDOMKEY"
    if refusal is not None:
        why, mend = refusal
        ages.skipped.append(Skipped(part=f"{PART} on {wire.name}", why=why, mend=mend))
    return ages


def _refusal(wire: Wire, ages: Ages) -> tuple[str, str] | None:
    """Why nothing can be told, and how to mend it, from one random key; None when it can."""
    key = wire.call("RANDOMKEY")
    if key is None:
        return None
    ages.own_hits += 1
    try:
        idle = wire.call("OBJECT", "IDLETIME", key)
    except RefusedError as error:
        if "LFU" in error.text:  # the server has found the key, and counted it, before it says so
            return "under an LFU policy the server keeps no idle times", "use an LRU policy, or --keymiss"
        ages.own_hits -= 1
        return None if is_key_denial(error.text) else (f"OBJECT IDLETIME is refused: {error}", "allow +object|idletime")
    if idle is None:
        ages.own_hits -= 1
        ages.own_misses += 1
    return None


def _sample(wire: Wire, folding: Folding, keys: int, random: Random, ages: Ages) -> None:
    left, fruitless = keys, 0
    while left > 0 and fruitless < FRUITLESS_ROUNDS:
        names = _names(wire, min(left, BATCH), random)[:left]
        fruitless = 0 if names else fruitless + 1
        for name, idle, ttl in _asked(wire, names, ages):
            if age := _age(folding.pattern_of(name), idle, ttl):
                ages.ages.append(age)
        left -= len(names)


def _asked(wire: Wire, names: Sequence[bytes], ages: Ages) -> list[tuple[bytes, Answer, Answer]]:
    """Each name with its idle time and its time to live."""
    ages.own_hits += 2 * len(names)
    wire.send([words for name in names for words in (("OBJECT", "IDLETIME", name), ("PTTL", name))])
    answers = wire.receive(2 * len(names))
    idles, ttls = answers[::2], answers[1::2]
    misses = idles.count(None) + ttls.count(GONE)
    ages.own_hits -= misses + sum(isinstance(answer, hiredis.ReplyError) for answer in answers)
    ages.own_misses += misses
    return list(zip(names, idles, ttls, strict=True))


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
