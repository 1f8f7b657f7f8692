"""Lets any worker of a service answer for all: each keeps what it knows of its pools in a folder that they share.

Whoever asks a service with several workers meets one of them by chance, and the leak is mostly in another.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

import msgspec

from dbvitals.snapshot_pool import PoolObservation

_PATTERN = "pool-*.json"


def publish(folder: Path, observation: PoolObservation) -> None:
    """Keep it for the other workers to read, in place of the last one: whole or not at all, for the owner only.

    Once a second is often enough; it writes a few kilobytes. Raises OSError.
    """
    path = folder / f"pool-{observation.process}-{quote(observation.pool.name, safe='')}.json"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(msgspec.json.encode(observation))
    Path(file.name).replace(path)


def published(folder: Path) -> list[PoolObservation]:
    """What all living workers have kept, each as of its `taken_at`. What a dead one left is taken away."""
    found = []
    for path in sorted(folder.glob(_PATTERN)):
        with contextlib.suppress(FileNotFoundError):  # another worker took it away
            observation = msgspec.json.decode(path.read_bytes(), type=PoolObservation)
            if _is_alive(observation.process):
                found.append(observation)
            else:
                path.unlink()
    return found


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process has the number now
        return False
    return True
