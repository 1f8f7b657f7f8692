"""What the tests of listening share: a family, the server's setting, and work that is done while somebody listens."""

import threading
import time
from collections.abc import Callable, Sequence

from redis import Redis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keymiss import MissWindow, listen_for_misses
from dbvitals.collect.keymiss_setting import MayChange
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer
from dbvitals.settings_redis import RedisTarget

SETTING = "notify-keyspace-events"
FOLDING = Folding([KeyFamily(pattern="session:*", description="")])
PATIENCE = 30.0


def setting(client: Redis) -> set[str]:
    return set(str(client.config_get(SETTING)[SETTING]))


def target(server: RedisServer, user: str = "") -> RedisTarget:
    """The server, for its owner or for a user of whom the password is `pw`."""
    password = "pw" if user else server.password
    return RedisTarget(host=server.host, port=server.port, user=user, password=password)


def yes(node: str, before: str, after: str) -> None:
    """Nothing speaks against it."""


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def listen_while(
    targets: Sequence[RedisTarget],
    client: Redis,
    work: Callable[[], object],
    *,
    may_change: MayChange = yes,
    db: int | None = None,
) -> MissWindow:
    """Do the work when somebody listens, and end the listening when it is done."""
    over = threading.Event()

    def run() -> None:
        try:
            wait_until(lambda: client.pubsub_numpat() > 0)
            work()
        finally:
            over.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return listen_for_misses(targets, FOLDING, seconds=PATIENCE, may_change=may_change, db=db, stop=over.is_set)
    finally:
        thread.join()
