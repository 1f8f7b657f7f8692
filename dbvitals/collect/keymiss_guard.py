"""Puts `notify-keyspace-events` back when the process that changed it has ended, however it ended.

Run as `python -m dbvitals.collect.keymiss_guard`: the first line of standard input says what to put back, its end when.
"""

import signal
import sys
import time
from dataclasses import dataclass

import msgspec

from dbvitals.collect.redis_wire import LostError, RefusedError, Wire
from dbvitals.errors import ServerError
from dbvitals.settings_redis import RedisTarget

SETTING = "notify-keyspace-events"
ALL_CLASSES = set("g$lshzxetd")
OLDEST_CLASSES = set("g$lshzxe")
"""Classes that `A` stands for, today and before streams and modules had theirs."""
READY = "ready"
TRIES, PAUSE = 30, 1.0
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A node's setting before and after it was changed."""

    target: RedisTarget
    before: str
    after: str


def put_back(change: Change) -> bool:
    """Put the setting back, unless somebody else has changed it since; False when the server could not be asked."""
    for _ in range(TRIES):
        try:
            with Wire(change.target, connect_timeout=TIMEOUT, answer_timeout=TIMEOUT) as wire:
                if _letters(read_setting(wire)) == _letters(change.after):
                    wire.call("CONFIG", "SET", SETTING, change.before)
        except (ServerError, LostError):
            time.sleep(PAUSE)
        except RefusedError:
            return False
        else:
            return True
    return False


def _letters(flags: str) -> set[str]:
    """What a setting means: the server gives it in an order of its own, and `A` for all the classes that it can be."""
    letters = set(flags)
    return letters - ALL_CLASSES | {"A"} if "A" in letters or letters >= OLDEST_CLASSES else letters


def read_setting(wire: Wire) -> str:
    """The classes of events that the server publishes. Raises RefusedError, LostError."""
    answer: list[bytes] = wire.call("CONFIG", "GET", SETTING)
    return answer[1].decode() if answer else ""


def main() -> int:
    """Wait for the end of the other process, and put everything back."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    changes = msgspec.json.decode(sys.stdin.buffer.readline(), type=list[Change])
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # One that fails does not keep the others from their turn.
    done = [put_back(change) for change in changes]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
