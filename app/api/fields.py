"""Types of what requests carry: bounded to what the columns take, and to what a hotel can mean."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from app.db.paging import FARTHEST, LARGEST_PAGE

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Room numbers and names; what stands in a path cannot hold a slash, nor be made of dots alone.
ROOM = r"^\w[\w .\-]{0,49}$"
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
LARGEST_VERSION = 2**63 - 1


class Body(BaseModel):
    """Base of bodies: a field that is not known is an error, not a field that is forgotten."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Shown(BaseModel):
    """Base of answers, made from what the services give."""

    model_config = ConfigDict(from_attributes=True)


def _written_as_a_day(value: object) -> object:
    """Leave out what pydantic takes for dates as well, numbers of seconds above all."""
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise ValueError("a day is written as in 2026-11-24")
    if not isinstance(value, str | date):
        raise ValueError("a day is a text")  # noqa: TRY004 - pydantic takes ValueError only
    return value


def _imaginable(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise ValueError(f"a moment is between {EARLIEST.year} and {LATEST.year}")
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_day)]
Moment = Annotated[AwareDatetime, AfterValidator(_imaginable)]
Count = Annotated[int, Field(strict=True, ge=1, le=1000)]
Version = Annotated[int, Field(strict=True, ge=1, le=LARGEST_VERSION)]
Room = Annotated[str, Field(pattern=ROOM, examples=["204"])]

PageNumber = Annotated[int, Query(ge=1, le=FARTHEST)]
PageSize = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
