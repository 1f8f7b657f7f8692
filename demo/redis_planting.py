"""How each planted fault gets into the hotel's Redis: small, and the same keys for the same seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from uuid import UUID

import redis

from demo import names

BATCH = 200
"""Commands sent at once: more would swell the server's buffers, which count as memory."""

HOUR, DAY = 3_600, 86_400

MISSING = 25_000
LEAKED = 300
OLD_RATES = 120
WIDGET = 60
PRECACHED = 2_500
STAMPEDE_IN = 240
CONFIRMATIONS = 25_000
PROFILES = 320
GUESTS = 1_200
PHOTOS = 4_000
PHOTO_BYTES = 2_048
TESTED = 40
TEST_DATABASE = 3
FULL_PERCENT = 86


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a fault is planted, and by which dice."""

    client: redis.Redis
    random: Random

    def hotel(self) -> str:
        """Give a hotel its id, as the service writes it."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def token(self) -> str:
        """Stand in for what the service writes in place of a guest's address: its keyed hash."""
        return f"{self.random.getrandbits(128):032x}"

    def write(self, values: Mapping[str, str], seconds: int | None) -> None:
        """Set strings, with a time to live or for ever."""
        for batch in _batches(values):
            pipeline = self.client.pipeline(transaction=False)
            for key in batch:
                pipeline.set(key, values[key], ex=seconds)
            pipeline.execute()


def _batches(keys: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(keys)
    return iter(lambda: list(islice(rest, BATCH)), [])


def ask_in_vain(site: Site) -> None:
    """Look for names that nobody writes."""
    for batch in _batches(f"pms_cache:v1:rates:{number}" for number in range(MISSING)):
        pipeline = site.client.pipeline(transaction=False)
        for key in batch:
            pipeline.get(key)
        pipeline.execute()


def leak_sessions(site: Site) -> None:
    """Write conversations as the service does, but for ever."""
    hotel = site.hotel()
    site.write({f"session:{hotel}:{site.token()}": '{"form":1,"version":1}' for _ in range(LEAKED)}, None)


def forget_lock(site: Site) -> None:
    """Take a room's lock with a plain SET."""
    site.write({f"lock:{site.hotel()}:room:204": site.token()}, None)


def keep_rates_for_a_month(site: Site) -> None:
    """Write rates that outlive every change of price."""
    rates = {f"pms_cache:rates:pms:import:{number}": '{"cents":9900}' for number in range(OLD_RATES)}
    site.write(rates, 30 * DAY)


def forget_too_soon(site: Site) -> None:
    """Write availability for less than a guest needs to read the answer."""
    rooms = {f"widget:availability:{number}": '{"free":2}' for number in range(WIDGET)}
    site.write(rooms, 50)


def expire_together(site: Site) -> None:
    """Write what a nightly job fills in advance; all of it ends in the same second."""
    rooms = {f"availability:precached:{number}": '{"free":2}' for number in range(PRECACHED)}
    site.write(rooms, STAMPEDE_IN)
    seconds, _ = site.client.time()
    for batch in _batches(rooms):
        pipeline = site.client.pipeline(transaction=False)
        for key in batch:
            pipeline.expireat(key, int(seconds) + STAMPEDE_IN)
        pipeline.execute()


def fill_queue(site: Site) -> None:
    """Write confirmations into a list that nobody takes them from."""
    queue = "outbox:confirmations"
    site.client.delete(queue)
    text = "Your stay is confirmed. " * 8
    for batch in _batches(f"{number} {text}" for number in range(CONFIRMATIONS)):
        site.client.rpush(queue, *batch)


def write_long_notes(site: Site) -> None:
    """Write small hashes with one value above the limit of the compact encoding."""
    pipeline = site.client.pipeline(transaction=False)
    for number in range(PROFILES):
        key = f"guest_profile:{number}"
        pipeline.hset(key, mapping={"language": "es", "floor": "high", "note": "likes a quiet room to the yard; " * 3})
        pipeline.expire(key, 30 * DAY)
    pipeline.execute()


def name_by_email(site: Site) -> None:
    """Write names that hold guests' e-mail addresses."""
    keys = {f"guest:{names.email(guest, site.random)}:preferences": '{"language":"es"}' for guest in range(GUESTS)}
    site.write(keys, None)


def name_by_phone(site: Site) -> None:
    """Write names that hold guests' telephone numbers."""
    site.write({f"whatsapp:{names.phone(guest)}:last_message": "ok" for guest in range(GUESTS)}, None)


def store_photos(site: Site) -> None:
    """Write one hotel's photos among the conversations, for ever as well: half of the memory is not to be evicted."""
    hotel = site.hotel()
    site.write({f"session:{hotel}:photo:{number}": "x" * PHOTO_BYTES for number in range(PHOTOS)}, None)


def leave_tests_behind(site: Site) -> None:
    """Write into another database of the same server."""
    keys = [f"test:{number}" for number in range(TESTED)]
    site.write(dict.fromkeys(keys, "x"), HOUR)
    for key in keys:
        site.client.move(key, TEST_DATABASE)


def evict_what_has_a_ttl(site: Site) -> None:
    """Choose a policy that evicts keys with a TTL: conversations have one."""
    site.client.config_set("maxmemory-policy", "volatile-lru")


def fill_memory(site: Site) -> None:
    """Set a limit that is nearly reached. What clients' buffers take comes and goes, and is left out."""
    memory = site.client.info("memory")
    lasting = int(memory["used_memory"]) - int(memory["mem_clients_normal"])
    site.client.config_set("maxmemory", lasting * 100 // FULL_PERCENT)
