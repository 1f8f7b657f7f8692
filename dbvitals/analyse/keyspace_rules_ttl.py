"""Rules about times to live: keys that stay for ever, that go too soon or too late, and all in the same moment."""

from collections.abc import Iterator

from dbvitals.analyse.key_patterns import OTHER
from dbvitals.analyse.key_tally import bucket_middle
from dbvitals.analyse.keyspace_bursts import Burst, densest, fullest
from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import (
    declaration,
    duration,
    keys,
    keys_in,
    keys_of,
    queue_of,
    setting,
    staying_for_sure,
    without_ttl,
)
from dbvitals.analyse.ttl_suggestion import suggest_ttl
from dbvitals.expect import KeyFamily
from dbvitals.model import Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import PatternStats


def ttl_findings(seen: Seen) -> Iterator[Finding]:
    """Judge every pattern by its family's expectation; without one, only what grows without bounds."""
    for stats in seen.patterns:
        family = seen.family(stats)
        if family is None:
            yield from _growing(seen, stats)
            continue
        yield from _no_ttl(seen, stats, family)
        yield from _unwanted_ttl(seen, stats, family)
        yield from _too_long(seen, stats, family)
        yield from _too_short(seen, stats, family)
        yield from _together(seen, stats, family)
    yield from _longer(seen)


def _longer(seen: Seen) -> Iterator[Finding]:
    """What was looked for soon after it had expired would have been there with a longer TTL."""
    present = {stats.pattern: (stats.ttl_max_ms or 0) / 1000 for stats in seen.patterns}
    for missed in seen.snapshot.after_expiry:
        family = seen.families.get(seen.folding.family_of(missed.pattern) or "")
        suggestion = suggest_ttl(missed, present.get(missed.pattern, 0.0))
        if suggestion is None or missed.pattern == OTHER or (family and family.kind != "cache"):
            continue
        yield Finding(
            rule="RED023",
            severity=Severity.INFO,
            subject=keys_of(missed.pattern),
            message=f"a TTL of {duration(suggestion.ttl_seconds)} would have caught {100 * suggestion.caught:.0f} % of "
            f"{suggestion.misses:,} looks that came too late",
            confidence=Confidence.ESTIMATE,
            evidence=(
                Evidence(name="misses after expiry", value=suggestion.misses, unit="reads"),
                Evidence(name="longest TTL left", value=round(present[missed.pattern], 1), unit="seconds"),
            ),
            action=setting(
                f"set {suggestion.ttl_seconds} s, if data of that age will do", family.setting if family else ""
            ),
        )


def _no_ttl(seen: Seen, stats: PatternStats, family: KeyFamily) -> Iterator[Finding]:
    number = round(seen.scale * without_ttl(stats))
    if family.expires is not True or not number:
        return
    if family.kind == "lock":
        yield Finding(
            rule="RED006",
            severity=Severity.CRITICAL,
            confidence=_surety(stats),
            subject=keys_of(stats.pattern),
            message=f"{keys_in(number)} without TTL{_among(stats)}: a lock that nobody gets again when its holder dies",
            evidence=(keys(number), _share(stats)),
            action=setting(
                "take locks with their TTL in one command (SET … NX PX); a plain SET takes the TTL away; delete those "
                "whose holder is gone (--show-keys gives names in full)",
                family.setting,
            ),
        )
        return
    yield Finding(
        rule="RED002",
        severity=Severity.HIGH,
        confidence=_surety(stats),
        subject=keys_of(stats.pattern),
        message=f"{keys_in(number)} without TTL in a family that expires{_among(stats)}: they stay until somebody "
        "deletes them",
        evidence=(keys(number), _share(stats)),
        action=setting("write them with a TTL (SET … EX, SET … KEEPTTL on change)", family.setting),
    )


def _surety(stats: PatternStats) -> Confidence:
    return Confidence.CERTAIN if staying_for_sure(stats) else Confidence.ESTIMATE


def _among(stats: PatternStats) -> str:
    return f" (such as {', '.join(stats.staying)})" if stats.staying else ""


def _share(stats: PatternStats) -> Evidence:
    percent = 100 * stats.no_ttl / stats.ttl_known if stats.ttl_known else 0.0
    return Evidence(name="without TTL", value=round(percent, 1), unit="percent")


def _unwanted_ttl(seen: Seen, stats: PatternStats, family: KeyFamily) -> Iterator[Finding]:
    number = round(seen.scale * (stats.ttl_known - stats.no_ttl))
    if family.expires is False and number:
        yield Finding(
            rule="RED007",
            severity=Severity.HIGH,
            subject=keys_of(stats.pattern),
            message=f"{keys_in(number)} will expire in a family that must not",
            evidence=(keys(number), _seconds("first goes in", stats.ttl_min_ms)),
            action=setting("write them without TTL (PERSIST mends those that are there)", family.setting),
        )


def _too_long(seen: Seen, stats: PatternStats, family: KeyFamily) -> Iterator[Finding]:
    if family.ttl_max is None or stats.ttl_max_ms is None:
        return
    limit = family.ttl_max * 1000
    number = sum(count for bucket, count in stats.ttl_buckets.items() if bucket_middle(bucket) > limit)
    if stats.ttl_max_ms > limit:
        yield Finding(
            rule="RED004",
            severity=Severity.MEDIUM,
            subject=keys_of(stats.pattern),
            message=f"about {keys_in(max(1, round(seen.scale * number)))} with up to "
            f"{duration(stats.ttl_max_ms / 1000)} to live, {duration(family.ttl_max)} at most is declared",
            evidence=(keys(seen.scale * number), _seconds("longest TTL", stats.ttl_max_ms)),
            action=setting(f"set at most {duration(family.ttl_max)}", family.setting),
        )


def _too_short(seen: Seen, stats: PatternStats, family: KeyFamily) -> Iterator[Finding]:
    """The TTL that was set is at least the largest that is left; with many keys one of them is fresh.

    Of state that is refreshed by being used, none is at night.
    """
    expiring = stats.ttl_known - stats.no_ttl
    if family.ttl_min is None or stats.ttl_max_ms is None or expiring < seen.thresholds.ttl_min_keys:
        return
    if stats.ttl_max_ms < family.ttl_min * 1000:
        yield Finding(
            rule="RED005",
            severity=Severity.INFO if family.kind == "state" else Severity.MEDIUM,
            subject=keys_of(stats.pattern),
            message=f"none of {round(seen.scale * expiring):,} keys has more than "
            f"{duration(stats.ttl_max_ms / 1000)} left, {duration(family.ttl_min)} at least is declared",
            confidence=Confidence.LIKELY,
            evidence=(keys(seen.scale * expiring), _seconds("longest TTL", stats.ttl_max_ms)),
            action=setting(
                f"set at least {duration(family.ttl_min)}, unless that is set and nobody uses these keys now",
                family.setting,
            ),
        )


def _together(seen: Seen, stats: PatternStats, family: KeyFamily) -> Iterator[Finding]:
    """Many keys that expire within moments: all their readers ask the source at once."""
    burst = _burst(seen, stats)
    if family.kind != "cache" or burst is None or not stats.ttl_max_ms:
        return
    if burst.keys < seen.thresholds.ttl_min_keys:  # of a sample, where each stands for thousands
        return
    number, rate = seen.scale * burst.keys, seen.scale * burst.rate
    even = seen.scale * (stats.ttl_known - stats.no_ttl) / (stats.ttl_max_ms / 1000)
    if rate >= seen.thresholds.stampede_per_second and rate >= seen.thresholds.stampede_factor * even:
        yield Finding(
            rule="RED015",
            severity=Severity.MEDIUM,
            subject=keys_of(stats.pattern),
            message=f"{number:,.0f} keys expire within about {duration(burst.span)}, in {duration(burst.middle)}; "
            f"{even * burst.span:,.0f} would if they were spread: their readers will all ask the source at once",
            confidence=Confidence.LIKELY,
            evidence=(
                keys(number),
                Evidence(name="span", value=round(burst.span, 1), unit="seconds"),
                Evidence(name="expire at least", value=round(number / burst.span, 1), unit="keys a second"),
            ),
            action=setting("add a random tenth to the TTL, and let one reader refill", family.setting),
        )


def _burst(seen: Seen, stats: PatternStats) -> Burst | None:
    """By the second where one stands out; a histogram tells less of what is far away."""
    bursts = [fullest(stats.ttl_peaks, seen.snapshot.taken_at.timestamp()), densest(stats.ttl_buckets)]
    return max((burst for burst in bursts if burst), key=lambda burst: burst.rate, default=None)


def _growing(seen: Seen, stats: PatternStats) -> Iterator[Finding]:
    number = seen.scale * without_ttl(stats)
    if number >= seen.thresholds.no_ttl_min_keys:
        queue = queue_of(stats)
        yield Finding(
            rule="RED020",
            severity=Severity.INFO if queue else Severity.MEDIUM,
            subject=keys_of(stats.pattern),
            message=f"{number:,.0f} undeclared keys without TTL{queue and f', of type {queue}'}: what nobody deletes "
            "grows for ever",
            evidence=(
                keys(number),
                Evidence(name="memory", value=round(seen.scale * stats.memory_bytes), unit="bytes"),
            ),
            action=setting(
                "declare the family (docs/cache.md); a queue needs no TTL, but somebody who empties it"
                if queue
                else "write them with a TTL, or declare the family (docs/cache.md)",
                declaration(stats.pattern),
            ),
        )


def _seconds(name: str, milliseconds: int | None) -> Evidence:
    return Evidence(name=name, value=None if milliseconds is None else milliseconds / 1000, unit="seconds")
