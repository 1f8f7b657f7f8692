"""Code that uses a pool badly, and what the tests of it share."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from dbvitals.observe.pool import PoolObserver, observe_pool

PID = text("SELECT pg_backend_pid()")
SLEEP = text("SELECT pg_sleep(60)")


def observed(engine: AsyncEngine) -> PoolObserver:
    return observe_pool(engine, application="test")


@contextmanager
def ignored_warnings() -> Iterator[None]:
    """SQLAlchemy warns of what the garbage collector has to clean up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


async def forgetful(engine: AsyncEngine) -> AsyncSession:
    """A missing close."""
    session = AsyncSession(engine)
    await session.execute(PID)
    return session
