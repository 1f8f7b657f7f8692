"""The service's log: one JSON object a line, with the request it belongs to, and no values of anybody's."""

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.core.settings import LogLevel

ROOT = Path(__file__).parents[2]
# The frames nearest to the error; what lies before them is the server's and the framework's.
FRAMES = 12
# They log each request, with its address, at the level at which we log what matters.
TALKATIVE = ("httpx", "httpcore")


def configure_logging(level: LogLevel) -> None:
    """Send what structlog and the standard library log to standard output, from `level` on. Again has no effect."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _first_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                without_values,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def without_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and place: its message may hold rows, addresses or a guest's words."""
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = [_told(link) for link in _chain(error)]
    return event


def _first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Cut other libraries' messages: asyncio and uvicorn write an exception's message and traceback below."""
    event["event"] = next(iter(str(event["event"]).splitlines()), "")
    return event


def _exception(found: object) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return found[1] if isinstance(found[1], BaseException) else None
    return sys.exc_info()[1] if found else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _told(error: BaseException) -> dict[str, object]:
    kind = type(error)
    return {"type": f"{kind.__module__}.{kind.__qualname__}", "at": list(_places(error.__traceback__))}


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace)[-FRAMES:]:
        path = Path(frame.filename)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
        yield f"{shown}:{frame.lineno} {frame.name}"
