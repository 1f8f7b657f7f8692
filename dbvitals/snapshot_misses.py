"""Misses that came after an expiry, as seen for a while; part of a keyspace snapshot."""

from msgspec import Struct


class MissesAfterExpiry(Struct, frozen=True, kw_only=True):
    """Looks for keys of one pattern that had expired while somebody listened.

    `buckets` counts the times from expiry to the look by logarithmic bucket (`key_tally.bucket_of`, milliseconds). They
    are short by as much as the server was late in noticing the expiry.
    """

    pattern: str
    misses: int
    buckets: dict[int, int]
