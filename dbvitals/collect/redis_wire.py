"""One connection to a Redis: commands out, answers in, many at once where that saves time."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import hiredis

from dbvitals.errors import ServerError, UsageError
from dbvitals.settings_redis import RedisTarget

Answer = Any
"""What hiredis makes of an answer: bytes, int, list, None, or a ReplyError as a value. Does not leave the package."""

Word = str | bytes | int

CLIENT_NAME = "dbvitals"
CHUNK = 1 << 17
BUSY_TRIES, BUSY_SECONDS = 20, 0.25

_MENDS = (
    ("NOAUTH", "give a password: REDIS_PASSWORD or --password"),
    ("WRONGPASS", "check the user and the password"),
    ("invalid password", "check the password"),
    ("invalid DB index", "check --db"),
    ("out of range", "check --db"),
    ("BUSY", "a script of somebody else runs for too long: wait, or end it with SCRIPT KILL"),
    ("LOADING", "the server loads its data: run again in a moment"),
    ("MASTERDOWN", "the replica has lost its primary: ask the primary, or run again in a moment"),
    ("max number of clients", "free a connection, or raise maxclients"),
    ("DENIED", "the server's protected mode lets nobody in from here without a password"),
)


_DENIALS = (
    "noperm",
    "no permissions to run",
    "unknown command",
    "unknown redis command",
    "unknown subcommand",
    "can't run this command",
    "not allowed",
    "disabled",
    "not supported",
)


_ARGUMENTS = ", with args beginning with"
"""What comes before the arguments in an answer about an unknown command: they are keys, or the password of AUTH."""


_NO_TLS = "check that this port speaks TLS, or leave out --tls"


class LostError(Exception):
    """The server went away, or did not answer in time."""


class RefusedError(Exception):
    """The server answered with an error; `text` is its own."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


def _error(text: str) -> hiredis.ReplyError:
    """Make an answer an error, without what we sent: this is the only place where errors come from."""
    return hiredis.ReplyError(text.partition(_ARGUMENTS)[0])


@contextlib.contextmanager
def server_errors(name: str) -> Iterator[None]:
    """Let neither LostError nor RefusedError out: a ServerError that names the Redis comes instead."""
    try:
        yield
    except RefusedError as error:
        raise ServerError(
            f"{name} refuses a command: {error}", mend="see --print-acl for the rights it takes"
        ) from error
    except LostError as error:
        raise ServerError(f"{name} went away: {error}", mend="run again when the server is back") from error


def is_denial(text: str) -> bool:
    """Whether an error says that the command itself is not to be had, whatever its arguments."""
    return any(sign in text.lower() for sign in _DENIALS) and not is_key_denial(text)


def is_key_denial(text: str) -> bool:
    """Whether an error says that the user may not touch this very key."""
    return "one of the keys" in text or "permissions to access a key" in text


def pack(command: Sequence[Word]) -> bytes:
    """Write a command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its stub knows one word only
    return packed


class Wire:
    """A connection, logged in. `name` is `host:port`, which no error shows more of.

    `refuses_writes`: the server let us know at the login that it refuses them, for it cannot save.
    """

    def __init__(self, target: RedisTarget, *, connect_timeout: float, answer_timeout: float) -> None:
        self.target = target
        self.name = target.name
        self.refuses_writes = False
        self._reader = hiredis.Reader(replyError=_error)
        self._socket = _open(target, connect_timeout)
        try:
            self._socket.settimeout(answer_timeout)
            self._log_in()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the server needs no goodbye."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def call(self, *words: Word) -> Answer:
        """Send one command and give its answer. Raises RefusedError, LostError.

        While a script of somebody else runs for too long, and the server does nothing else, it is waited for.
        """
        for _ in range(BUSY_TRIES):
            self.send([words])
            answer = self.receive(1)[0]
            if not isinstance(answer, hiredis.ReplyError):
                return answer
            if not str(answer).startswith("BUSY "):
                break
            time.sleep(BUSY_SECONDS)
        raise RefusedError(str(answer))

    def select(self, db: int) -> None:
        """Take another logical database. Raises ServerError, LostError."""
        try:
            self.call("SELECT", db)
        except RefusedError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: RefusedError) -> ServerError:
        mend = next((mend for sign, mend in _MENDS if sign in error.text), "check the address and the login")
        return ServerError(f"{self.name} refuses: {error.text}", mend=mend)

    def send(self, commands: Iterable[Sequence[Word]]) -> None:
        """Send commands in one go; `receive` as many answers as there are commands."""
        self.send_raw(b"".join(map(pack, commands)))

    def send_raw(self, packed: bytes) -> None:
        """Send what is a command already."""
        try:
            self._socket.sendall(packed)
        except OSError as error:
            raise LostError(_words(error)) from error

    def receive(self, number: int) -> list[Answer]:
        """Give the next answers; errors of single commands stand among them as ReplyError."""
        answers: list[Answer] = []
        while len(answers) < number:
            answer = self._gets()
            if answer is False:
                self._feed()
            else:
                answers.append(answer)
        return answers

    def _gets(self) -> Answer:
        try:
            return self._reader.gets()
        except hiredis.ProtocolError as error:
            raise LostError("what it answers is not Redis's protocol") from error

    def _feed(self) -> None:
        try:
            received = self._socket.recv(CHUNK)
        except OSError as error:
            raise LostError(_words(error)) from error
        if not received:
            raise LostError("the server closed the connection")
        self._reader.feed(received)

    def _authenticate(self) -> None:
        target = self.target
        if target.password is None:
            return
        try:
            self.call("AUTH", *([target.user] if target.user else []), target.password)
        except RefusedError as error:
            # As redis-cli has it: a password that nobody asks for is no fault. Sentinels often have none.
            if "without any password" not in error.text:
                raise

    def _log_in(self) -> None:
        target = self.target
        try:
            self._authenticate()
            self._greet()
        except RefusedError as error:
            raise self._refusal(error) from error
        except LostError as error:
            raise ServerError(
                f"cannot talk to {target.name}: {error}", mend="check that it is a Redis, and whether it wants --tls"
            ) from error
        with server_errors(target.name):
            with contextlib.suppress(RefusedError):  # without the name it only stands nameless in the server's log
                self.call("CLIENT", "SETNAME", CLIENT_NAME)
            if target.db:
                self.select(target.db)

    def _greet(self) -> None:
        """A server that refuses PING for the login's rights, or with the writes because it cannot save, is alive."""
        try:
            self.call("PING")
        except RefusedError as error:
            if not error.text.startswith(("MISCONF", "NOPERM")):
                raise
            self.refuses_writes = error.text.startswith("MISCONF")


def _open(target: RedisTarget, timeout: float) -> socket.socket:
    try:
        connection = _connected(target, timeout)
    except OSError as error:
        raise ServerError(f"cannot connect to {target.name}: {_words(error)}", mend=_mend(error, target)) from error
    if not target.tls:
        return connection
    try:
        return _wrapped(connection, target)
    except BaseException:
        connection.close()
        raise


def _connected(target: RedisTarget, timeout: float) -> socket.socket:
    if not target.path:
        connection = socket.create_connection((target.host, target.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(target.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _wrapped(connection: socket.socket, target: RedisTarget) -> socket.socket:
    try:
        context = ssl.create_default_context(cafile=target.tls_ca)
    except OSError as error:
        raise UsageError(
            f"the certificates of {target.tls_ca} cannot be read: {_words(error)}", mend="check --tls-ca"
        ) from error
    try:
        return context.wrap_socket(connection, server_hostname=target.host)
    except TimeoutError as error:
        raise ServerError(f"{target.name} does not answer in TLS", mend=_NO_TLS) from error
    except OSError as error:
        raise ServerError(f"cannot connect to {target.name}: {_words(error)}", mend=_mend(error, target)) from error


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})".lower().replace("tls", "TLS").replace("_", " ")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "the name of the host is not known"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _mend(error: Exception, target: RedisTarget) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "give its authority with --tls-ca, and connect by the name that the certificate has"
    if isinstance(error, ssl.SSLError):
        return _NO_TLS
    if isinstance(error, socket.gaierror):
        return "check --host or REDIS_HOST"
    if isinstance(error, TimeoutError):
        return "check the host, the port and the firewall, or raise --connect-timeout"
    return (
        "check the host and the port, and that the server runs" if not target.path else "check the path of the socket"
    )
