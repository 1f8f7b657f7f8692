"""What the database's errors mean to the service: each becomes an AppError whose message is safe to show."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import AppError, Conflict, Invalid, Unavailable

CLASHES = {
    "23503": "the change names something that does not exist, or that others still refer to",  # foreign_key_violation
    "23505": "there is already one like it",  # unique_violation
    "40001": "another change came in between; try again",  # serialization_failure
    "40P01": "another change came in between; try again",  # deadlock_detected
    "55P03": "another change holds what this one needs; try again",  # lock_not_available
}
REFUSED = {
    "22001": "a text is too long",  # string_data_right_truncation
    "22003": "a number is out of range",  # numeric_value_out_of_range
    "22007": "a date or time cannot be read",  # invalid_datetime_format
    "22008": "a date or time is out of range",  # datetime_field_overflow
    "22021": "a text has characters that cannot be stored",  # character_not_in_repertoire
    "22P05": "a text has characters that cannot be stored",  # untranslatable_character
    "23502": "a value is missing",  # not_null_violation
    "23514": "a value is outside of what is allowed",  # check_violation
}
TOO_SLOW = "the database took too long; try again later"
AWAY = "the database is not available; try again later"
BUSY = "the database is too busy; try again later"
# Classes of SQLSTATE: connection exception, insufficient resources, operator intervention, system error.
AWAY_CLASSES = ("08", "53", "57", "58")


def translate_errors(engine: Engine) -> None:
    """Let every error of this engine's statements and transactions come out translated."""
    event.listen(engine, "handle_error", _raise_translated)


@contextmanager
def translated_checkout() -> Iterator[None]:
    """Translate what goes wrong while a connection is had, before there is one whose errors are translated."""
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable(BUSY) from error
    except OSError as error:  # refused, unreachable, timed out
        raise Unavailable(AWAY) from error


def meaning(error: BaseException) -> AppError | None:
    """What an error of the driver means; None where it can only be a mistake of ours."""
    if isinstance(error, TimeoutError):
        return Unavailable(TOO_SLOW)
    if isinstance(error, OSError):
        return Unavailable(AWAY)
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return None
    if state in CLASHES:
        return Conflict(CLASHES[state])
    if state in REFUSED:
        return Invalid(REFUSED[state])
    if state == "57014":  # query_canceled, by statement_timeout
        return Unavailable(TOO_SLOW)
    return Unavailable(AWAY) if state.startswith(AWAY_CLASSES) else None


def _raise_translated(context: ExceptionContext) -> None:
    found = meaning(context.original_exception)
    if found is None and context.is_disconnect and isinstance(context.sqlalchemy_exception, DBAPIError):
        found = Unavailable(AWAY)
    if found is not None:
        raise found
