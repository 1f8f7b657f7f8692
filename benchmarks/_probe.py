"""A client that asks for one key a thousand times a second, and tells how long it waited: who else feels a pass.

`python -m benchmarks._probe URL`: each line on standard input is answered by a line of JSON with the waits since the
last one, in microseconds. They count from when the request was due, so that a stall is felt by all it holds up.
"""

import json
import select
import sys
import time

from benchmarks.keyspace_loader import Connection

PER_SECOND = 1_000
KEY = "availability:probe"


def main(url: str) -> None:
    connection = Connection(url)
    connection.send([("SET", KEY, "x" * 200)])
    waits: list[float] = []
    due = time.perf_counter()
    while True:
        due += 1 / PER_SECOND
        pause = due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        connection.send([("GET", KEY)])
        waits.append(time.perf_counter() - due)
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            _tell(waits)
            waits.clear()
            due = time.perf_counter()


def _tell(waits: list[float]) -> None:
    ordered = sorted(waits)
    places = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    told = {name: 1e6 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in places.items()}
    sys.stdout.write(json.dumps({"requests": len(ordered)} | told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
