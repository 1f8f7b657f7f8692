"""The faults planted in the hotel's Redis, and what `dbvitals cache` must say about each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import redis

from demo import redis_planting as planting
from demo.redis_planting import Site

SERVER = "the server"
"""The subject of a finding that is about the whole Redis, and no pattern of keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFault:
    """One fault: how it is planted, the rule (docs/rules.md) that must find it, and the pattern that it is found in."""

    id: str
    what: str
    plant: Callable[[Site], None]
    rule: str
    pattern: str

    @property
    def finding(self) -> tuple[str, str]:
        """The finding that must come: its rule and its subject."""
        return self.rule, self.pattern


REDIS_FAULTS = (
    RedisFault(
        id="asked_in_vain",
        what="a job asks for rates under a name that nobody writes any more",
        plant=planting.ask_in_vain,
        rule="RED001",
        pattern=SERVER,
    ),
    RedisFault(
        id="leaked_sessions",
        what="an import wrote conversations without TTL",
        plant=planting.leak_sessions,
        rule="RED002",
        pattern="session:*",
    ),
    RedisFault(
        id="old_rates",
        what="rates are kept for a month, and guests are quoted old prices",
        plant=planting.keep_rates_for_a_month,
        rule="RED004",
        pattern="pms_cache:*",
    ),
    RedisFault(
        id="forgotten_too_soon",
        what="the website's widget keeps availability for less than a minute",
        plant=planting.forget_too_soon,
        rule="RED005",
        pattern="*:availability:*",
    ),
    RedisFault(
        id="forgotten_lock",
        what="a room was locked without TTL, and the holder died",
        plant=planting.forget_lock,
        rule="RED006",
        pattern="lock:*",
    ),
    RedisFault(
        id="undrained_queue",
        what="nobody takes the confirmations out of their queue",
        plant=planting.fill_queue,
        rule="RED009",
        pattern="outbox:confirmations",
    ),
    RedisFault(
        id="long_notes",
        what="one long note makes every small profile a large hash",
        plant=planting.write_long_notes,
        rule="RED011",
        pattern="guest_profile:<n>",
    ),
    RedisFault(
        id="photos",
        what="one hotel's photos lie among the conversations",
        plant=planting.store_photos,
        rule="RED012",
        pattern=SERVER,
    ),
    RedisFault(
        id="other_database",
        what="a test was run against this server, in another database",
        plant=planting.leave_tests_behind,
        rule="RED014",
        pattern=SERVER,
    ),
    RedisFault(
        id="stampede",
        what="a nightly job fills the cache, and all of it expires in the same second",
        plant=planting.expire_together,
        rule="RED015",
        pattern="availability:*",
    ),
    RedisFault(
        id="named_by_email",
        what="undeclared keys without TTL are named by guests' e-mail addresses",
        plant=planting.name_by_email,
        rule="RED020",
        pattern="guest:<email>:preferences",
    ),
    RedisFault(
        id="named_by_phone",
        what="undeclared keys without TTL are named by guests' telephone numbers",
        plant=planting.name_by_phone,
        rule="RED020",
        pattern="whatsapp:<phone>:last_message",
    ),
    RedisFault(
        id="wrong_policy",
        what="the eviction policy takes keys with a TTL, and conversations have one",
        plant=planting.evict_what_has_a_ttl,
        rule="RED018",
        pattern=SERVER,
    ),
    # The last: the limit is set by what all the others take.
    RedisFault(
        id="full",
        what="memory is nearly full of keys that the policy cannot evict",
        plant=planting.fill_memory,
        rule="RED008",
        pattern=SERVER,
    ),
)


def plant_in_redis(url: str, faults: Iterable[RedisFault], seed: int, tell: Callable[[str], None]) -> None:
    """Do to the Redis what the faults say; `tell` hears which one it is. Raises redis.RedisError."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        for fault in faults:
            tell(fault.what)
            fault.plant(Site(client=client, random=Random(f"{seed}:{fault.id}")))
