"""Work that runs beside the requests; what dies is logged, shown, and begun again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from app.core.errors import AppError

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

Work = Callable[[], Awaitable[object]]


class Background:
    """The tasks of one process. Each is begun again after a pause that doubles, when it ends by itself."""

    def __init__(self, first_pause: float = FIRST_PAUSE) -> None:
        self._first_pause = first_pause
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: dict[str, str | None] = {}

    @property
    def states(self) -> Mapping[str, str | None]:
        """The name of each task; with the type of error that it ended by and has not recovered from, if any."""
        return self._failed

    def start(self, name: str, work: Work) -> None:
        """Begin work that goes on until it is cancelled."""
        self._failed[name] = None
        self._tasks.append(asyncio.create_task(self._keep_up(name, work), name=name))

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_up(self, name: str, work: Work) -> None:
        clock, pause = asyncio.get_running_loop().time, self._first_pause
        while True:
            self._failed[name] = None
            begun = clock()
            [outcome] = await asyncio.gather(work(), return_exceptions=True)
            error = outcome if isinstance(outcome, BaseException) else None
            self._failed[name] = type(error).__name__ if error else "ended"
            log.error("a background task ended and is begun again", task=name, exc_info=error)
            if clock() - begun > LONGEST_PAUSE:  # it had recovered from what it ended by before
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def every(interval: timedelta, work: Work) -> Work:
    """Make work that is done again and again, the first time at once. What is away is tried again the next time."""

    async def again_and_again() -> None:
        while True:
            try:
                await work()
            except AppError as error:
                log.warning("work is left for later", error=str(error))
            await asyncio.sleep(interval.total_seconds())

    return again_and_again
