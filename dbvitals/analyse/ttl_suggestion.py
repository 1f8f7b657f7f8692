"""What a longer TTL would have saved: from the times between a key's expiry and the next look for it."""

from dataclasses import dataclass

from dbvitals.analyse.key_tally import percentile
from dbvitals.snapshot_misses import MissesAfterExpiry

FEWEST = 30
"""Misses below which a share of them says little: at 30, a share of 80 % is right within 15 points."""

CAUGHT = 0.8
"""The share of misses after expiry that the suggested TTL would have turned into hits: the last fifth costs the most
memory for the least gain."""

LONGEST = 10.0
"""A TTL more than so many times the present one is another design, not a setting."""

LEAST = 0.1
"""Looks that come sooner after the expiry than this share of the TTL come again and again, whatever the TTL; or they
are for keys with a much shorter one."""

STEPS = (1, 2, 3, 5, 10, 15, 20, 30, 45)
UNITS = (1, 60, 3600, 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlSuggestion:
    """A TTL in seconds, and the share (0..1) of the `misses` seen that would have been hits with it."""

    ttl_seconds: int
    caught: float
    misses: int


def suggest_ttl(missed: MissesAfterExpiry, ttl_seconds: float) -> TtlSuggestion | None:
    """Suggest a TTL in place of `ttl_seconds`; None when too little was seen, or when none in reach would help."""
    if missed.misses < FEWEST or ttl_seconds <= 0:
        return None
    late_ms = percentile(missed.buckets, CAUGHT)
    if late_ms is None or not LEAST * ttl_seconds <= late_ms / 1000 <= (LONGEST - 1) * ttl_seconds:
        return None
    suggested = _round_up(ttl_seconds + late_ms / 1000)
    return TtlSuggestion(
        ttl_seconds=suggested, caught=_share_within(missed, suggested - ttl_seconds), misses=missed.misses
    )


def _share_within(missed: MissesAfterExpiry, seconds: float) -> float:
    """The share of misses that came no later than so long after the expiry, by whole buckets."""
    within = {
        bucket: count
        for bucket, count in missed.buckets.items()
        if (percentile({bucket: 1}, 1.0) or 0) <= seconds * 1000
    }
    return sum(within.values()) / sum(missed.buckets.values())


def _round_up(seconds: float) -> int:
    """A number that a person would choose: 45 s, 10 min, 2 h."""
    choices = sorted({step * unit for unit in UNITS for step in STEPS})
    return next((choice for choice in choices if choice >= seconds), int(-(-seconds // UNITS[-1]) * UNITS[-1]))
