"""Finds the keys that expire together: by the second, or in a histogram of times to live."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbvitals.analyse.key_tally import STEPS, bucket_edge

SHORTEST = 1.0
"""Seconds below which nobody refills: what expires within them expires together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Keys that expire between two moments, in seconds from now; `rate` a second.

    Of a histogram: should they do so within one bucket, as it does not tell more exactly when a key expires.
    """

    keys: int
    begin: float
    end: float
    rate: float

    @property
    def span(self) -> float:
        """Seconds within which all of them expire."""
        return max(SHORTEST, self.end - self.begin)

    @property
    def middle(self) -> float:
        """Seconds from now."""
        return (self.begin + self.end) / 2


def densest(buckets: Mapping[int, int]) -> Burst | None:
    """The densest burst, the narrowest among equals; None where no key expires.

    What expires in one moment may be seen on either side of a bucket's edge, half of it in each bucket; so two
    neighbours are also looked at together.
    """
    return max(_bursts(buckets), key=lambda burst: (burst.rate, -burst.span, burst.end), default=None)


def fullest(peaks: Mapping[int, int], now: float) -> Burst | None:
    """The second in which the most keys expire, with the one after it; None without any that is still to come.

    `peaks` are keys by second, both it and `now` since 1970. What expires in one moment may be seen on either side of
    a second, as the time of an answer is known to some milliseconds only.
    """
    coming = [second for second in peaks if second + 1 > now]
    bursts = [_in_second(peaks, second, now) for second in coming]
    return max(bursts, key=lambda burst: (burst.rate, burst.keys, -burst.end), default=None)


def _in_second(peaks: Mapping[int, int], second: int, now: float) -> Burst:
    """The second alone, or with the next one where that adds more than a tenth."""
    alone, after = peaks[second], peaks.get(second + 1, 0)
    begin = max(0.0, second - now)
    if after > alone / 10:
        return Burst(keys=alone + after, begin=begin, end=second + 2 - now, rate=(alone + after) / 2)
    return Burst(keys=alone, begin=begin, end=second + 1 - now, rate=float(alone))


def _bursts(buckets: Mapping[int, int]) -> Iterator[Burst]:
    for bucket in buckets:
        if bucket < STEPS:  # expired already
            continue
        yield _within(buckets, bucket)
        if bucket + 1 in buckets:
            yield _across(buckets, bucket)


def _within(buckets: Mapping[int, int], bucket: int) -> Burst:
    return Burst(
        keys=buckets[bucket],
        begin=_edge(bucket),
        end=_edge(bucket + 1),
        rate=buckets[bucket] / max(SHORTEST, _width(bucket)),
    )


def _across(buckets: Mapping[int, int], bucket: int) -> Burst:
    """A burst as long as one bucket, across the edge to the next.

    Of the keys of both, those are not the burst's that would expire in the rest of the span anyway, at the rate of
    the buckets beside them: an even spread is no denser here than in one bucket.
    """
    keys = buckets[bucket] + buckets[bucket + 1]
    begin, end = _edge(bucket), _edge(bucket + 2)
    length = max(SHORTEST, _width(bucket + 1))  # a bucket is as wide as the one before it, or twice as wide
    rest = max(0.0, end - begin - length)
    ordinary = max(buckets.get(beside, 0) / _width(beside) for beside in (bucket - 1, bucket + 2))
    return Burst(keys=keys, begin=begin, end=end, rate=(keys - ordinary * rest) / length)


def _edge(bucket: int) -> float:
    return bucket_edge(bucket) / 1000


def _width(bucket: int) -> float:
    return _edge(bucket + 1) - _edge(bucket)
