"""Which days a guest can ask for."""

from datetime import date, timedelta

from app.core.errors import Invalid

# A day back, since today is another day in other time zones; hotels have no prices beyond two years.
BEFORE = timedelta(days=1)
AHEAD = timedelta(days=731)


def check_bookable(day: date, today: date) -> None:
    """Raise Invalid for a day that is past, or too far ahead. `today` is by UTC."""
    if not today - BEFORE <= day <= today + AHEAD:
        raise Invalid("a day must be between yesterday and two years ahead")
