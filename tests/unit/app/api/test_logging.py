"""The log: objects of JSON with the request they belong to, and nobody's values."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.core.logging import configure_logging

SECRET = "ocean-view-417"


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a test configures does not reach the next one."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def fail() -> None:
    try:
        dict[str, int]()[SECRET]
    except KeyError as error:
        raise RuntimeError(SECRET) from error


def test_both_loggers_write_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    structlog.contextvars.bind_contextvars(request_id="request-1")
    structlog.get_logger("app.x").warning("something", rows=3)
    logging.getLogger("library").warning("something %s", "else")
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["rows"], ours["level"], ours["request_id"]) == ("something", 3, "warning", "request-1")
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == ("something else", "warning", "request-1")
    assert str(ours["timestamp"]).endswith("Z")


def test_an_exception_is_told_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    for log in (structlog.get_logger("app.x"), logging.getLogger("library")):
        try:
            fail()
        except RuntimeError:
            log.exception("it broke")
    out = capsys.readouterr().out
    assert SECRET not in out
    for line in out.splitlines():
        outer, inner = json.loads(line)["exception"]
        assert (outer["type"], inner["type"]) == ("builtins.RuntimeError", "builtins.KeyError")
        assert outer["at"][-1].startswith("tests/unit/app/api/test_logging.py:")
        assert outer["at"][-1].endswith(" fail")


def test_what_libraries_write_below_their_first_line_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as asyncio's, of a task whose error nobody looked at."""

    async def forget_a_task() -> None:
        async def break_down() -> None:
            raise RuntimeError(SECRET)

        task = asyncio.create_task(break_down())
        await asyncio.wait([task])
        del task

    configure_logging("info")
    asyncio.run(forget_a_task())
    out = capsys.readouterr().out
    assert "Task exception was never retrieved" in out
    assert "RuntimeError" in out
    assert SECRET not in out


def test_the_level_holds_for_both_loggers(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")
    structlog.get_logger("app.x").info("chatter")
    logging.getLogger("library").info("chatter")
    assert lines(capsys) == []


def test_configured_again_nothing_is_written_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    configure_logging("info")
    logging.getLogger("library").warning("once")
    assert len(lines(capsys)) == 1
