"""Waits for what comes soon, however busy the machine is."""

import asyncio
import time
from collections.abc import Callable

DEADLINE = 60.0


async def until(happened: Callable[[], bool]) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


def until_in_thread(happened: Callable[[], bool]) -> None:
    """Return when it has happened, in another thread."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
