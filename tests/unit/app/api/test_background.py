"""Work beside the requests: what ends is begun again and shown, and nothing goes on after the end."""

import asyncio
from datetime import timedelta

import pytest

from app.api.background import Background, every
from app.core.errors import Unavailable


async def until_set(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()


@pytest.mark.asyncio
async def test_work_that_breaks_is_shown_and_begun_again() -> None:
    background = Background(first_pause=0.01)
    runs = 0
    recovered = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("it broke")
        recovered.set()
        await asyncio.Event().wait()

    background.start("fragile", work)
    async with asyncio.timeout(30):
        while background.states["fragile"] != "RuntimeError":
            await asyncio.sleep(0)
    await until_set(recovered)
    assert background.states == {"fragile": None}
    assert runs == 3
    await background.close()


@pytest.mark.asyncio
async def test_work_that_just_ends_is_begun_again_too() -> None:
    background = Background(first_pause=0.01)
    thrice = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            thrice.set()

    background.start("short", work)
    await until_set(thrice)
    await background.close()


@pytest.mark.asyncio
async def test_at_the_end_work_is_cancelled_and_waited_for() -> None:
    background = Background()
    begun, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    background.start("tidy", work)
    await until_set(begun)
    await background.close()
    assert cleaned.is_set()


@pytest.mark.asyncio
async def test_what_is_away_is_tried_again_at_the_next_turn() -> None:
    runs = 0
    thrice = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            thrice.set()
        raise Unavailable("away")

    task = asyncio.ensure_future(every(timedelta(milliseconds=1), work)())
    await until_set(thrice)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
