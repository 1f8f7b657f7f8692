"""Errors of the service. Their messages are written to be shown: no values of rows, no secrets, no SQL."""


class AppError(Exception):
    """Something that the service was asked for cannot be done; the message says what, and what to do."""


class NotFound(AppError):  # noqa: N818 - named by what it says
    """There is no such thing, or none that this tenant may see: the two are never told apart."""


class Conflict(AppError):  # noqa: N818 - named by what it says
    """The request clashes with what is there, or with another request at the same time."""


class Invalid(AppError):  # noqa: N818 - named by what it says
    """The request says something that cannot be."""


class Unavailable(AppError):  # noqa: N818 - named by what it says
    """Something that the service needs is away or too busy; the same request may succeed later."""


class TooManyRequests(AppError):  # noqa: N818 - named by what it says
    """There were too many requests of the kind of late; the same one may be made again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
