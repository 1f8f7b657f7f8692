"""A small service with one planted leak: `python leaking_service.py DATABASE_URL PORT TOKEN`."""

import sys
from contextvars import ContextVar
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from dbvitals.observe.pool import observe_pool
from dbvitals.observe.registry import Labels

URL, PORT, TOKEN = sys.argv[1], int(sys.argv[2]), sys.argv[3]
RENEW = text("UPDATE locks SET renewed = clock_timestamp() WHERE room = :room")
READ = text("SELECT renewed FROM locks WHERE room = :room")

NOBODY = Labels()
labels: ContextVar[Labels] = ContextVar("labels", default=NOBODY)
# As behind PgBouncer it has to be: a prepared statement's name may be taken on the next server connection.
engine = create_async_engine(
    URL,
    poolclass=AsyncAdaptedQueuePool,
    pool_size=5,
    connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0, "prepared_statement_name_func": str},
)
observer = observe_pool(engine, application="hotel", labels=labels.get)
service = FastAPI()
renewing: dict[int, AsyncSession] = {}


async def renew(room: int) -> None:
    """Renew a lock; who has room 13 is never told."""
    session = AsyncSession(engine)
    await session.execute(RENEW, {"room": room})  # the planted leak
    if room == 13:
        renewing[room] = session
        return
    await session.commit()
    await session.close()


@service.middleware("http")
async def label(request: Request, call_next: Any) -> Response:
    """Say whose request it is."""
    labels.set(Labels(f"{request.method} {request.url.path}", "9f2c"))
    answer: Response = await call_next(request)
    return answer


@service.post("/holds/{room}")
async def hold(room: int) -> None:
    """Hold a room."""
    await renew(room)


@service.get("/holds/{room}")
async def seen(room: int) -> str:
    """Look at it."""
    async with AsyncSession(engine) as session:
        return str((await session.execute(READ, {"room": room})).scalar_one())


@service.get("/ops/connections")
async def connections(request: Request) -> Response:
    """The registry, for the operator."""
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise HTTPException(401)
    return Response(msgspec.json.encode(observer.observation()), media_type="application/json")


uvicorn.run(service, host="127.0.0.1", port=PORT, log_level="warning")
