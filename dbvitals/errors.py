"""Errors that a user can cause. Each message is one line: what, where, and how to mend it."""


class DbvitalsError(Exception):
    """Base of all; `exit_code` is what the command ends with (see docs/guide.md)."""

    exit_code = 2

    def __init__(self, what: str, *, mend: str = "") -> None:
        self.what = " ".join(what.split())
        self.mend = " ".join(mend.split())
        super().__init__(f"{self.what}: {self.mend}" if self.mend else self.what)


class UsageError(DbvitalsError):
    """The call or the configuration is wrong."""

    exit_code = 2


class OutputError(DbvitalsError):
    """A report could not be written; an older one is left as it was."""

    exit_code = 2


class ServerError(DbvitalsError):
    """The server could not be reached, refused the login, or took away a right that the whole report needs."""

    exit_code = 3


class SandboxError(DbvitalsError):
    """No server of our own can run here."""

    exit_code = 2
