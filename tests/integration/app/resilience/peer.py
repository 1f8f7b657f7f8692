"""Another process of the service, for tests: its arguments are REDIS_URL PMS_URL; tasks come in by line.

The answer to each is a line of JSON.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import click

from app.core.errors import Unavailable
from tests.integration.app.resilience.ground import STAY, Desk, desk

CROWD = 25


async def crowd(here: Desk) -> object:
    """Ask so many times at once; give the number of answers, and of distinct ones."""
    answers = await asyncio.gather(*(here.cache.availability(STAY) for _ in range(CROWD)))
    return {"answers": len(answers), "distinct": len({answer.value for answer in answers})}


async def once(here: Desk) -> object:
    """Ask once; give whether it failed, and the states that the breaker was seen in."""
    here.states.clear()
    try:
        await here.pms.availability(STAY)
        failed = False
    except Unavailable:
        failed = True
    return {"failed": failed, "states": here.states}


TASKS: dict[str, Callable[[Desk], Awaitable[object]]] = {"crowd": crowd, "once": once}


async def main(redis_url: str, pms_url: str) -> None:
    async with desk(redis_url, pms_url) as here:
        await here.redis.ping()
        say("ready")
        while task := await asyncio.to_thread(sys.stdin.readline):
            say(await TASKS[task.strip()](here))


def say(answer: object) -> None:
    click.echo(json.dumps(answer))
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
