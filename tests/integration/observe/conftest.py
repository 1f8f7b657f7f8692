"""Engines on real servers; each is disposed of with its test."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MakeEngine = Callable[..., Engine]
MakeAsyncEngine = Callable[..., AsyncEngine]


@pytest.fixture
def make_engine(database: str) -> Iterator[MakeEngine]:
    """A function that makes an engine of psycopg."""
    made: list[Engine] = []

    def make(**options: Any) -> Engine:
        made.append(create_engine(database.replace("postgresql://", "postgresql+psycopg://"), **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest_asyncio.fixture
async def make_async_engine(database: str) -> AsyncIterator[MakeAsyncEngine]:
    """A function that makes an engine of asyncpg."""
    made: list[AsyncEngine] = []

    def make(**options: Any) -> AsyncEngine:
        made.append(create_async_engine(database.replace("postgresql://", "postgresql+asyncpg://"), **options))
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()
