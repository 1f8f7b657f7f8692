"""A service that forks while it holds a connection: prints what parent and child know of theirs, as JSON."""

import json
import os
import sys

from sqlalchemy import create_engine

from dbvitals.observe.pool import observe_pool

engine = create_engine(sys.argv[1])
observer = observe_pool(engine, application="test")
held = engine.connect()


def known() -> dict[str, object]:
    """What a process knows."""
    found = observer.observation()
    return {
        "process": found.process == os.getpid(),
        "checked_out": found.pool.checked_out,
        "open": observer.total,
        "checkouts": found.window.checkouts,
    }


reading, writing = os.pipe()
if os.fork() == 0:
    engine.dispose(close=False)
    at_first = known()
    with engine.connect():
        inside = known()
    os.write(writing, json.dumps([at_first, inside, known()]).encode())
    os._exit(0)
os.wait()
of_child = json.loads(os.read(reading, 10_000))
of_parent = known()
held.close()
print(json.dumps({"child": of_child, "parent": [of_parent, known()]}))  # noqa: T201
engine.dispose()
