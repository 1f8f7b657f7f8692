"""Reading an application's registry over real HTTP, from servers of every kind of manners."""

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from dbvitals.collect import app_registry
from dbvitals.collect.app_registry import read_app, read_apps
from dbvitals.errors import DbvitalsError, ServerError, UsageError
from dbvitals.observe.windows import WindowRecorder
from dbvitals.snapshot_pool import POOL_SCHEMA_VERSION, HeldConnection, PoolObservation, PoolState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKEN = "operators-secret"
OBSERVATION = PoolObservation(
    schema_version=POOL_SCHEMA_VERSION,
    application="hotel '; <script>",
    process=7,
    taken_at=NOW,
    pool=PoolState(name="main", size=5, max_overflow=10, checked_out=1, idle=2, pending=0, timeouts_total=0),
    window=WindowRecorder(0.0, NOW).recent(1.0),
    connections=(HeldConnection(backend_pid=1, local_port=2, checked_out_at=NOW, seconds=48.0, site="a.py:1 f"),),
)

Respond = Callable[[http.server.BaseHTTPRequestHandler], None]
Serve = Callable[[Respond], str]


def answer(status: int, body: bytes, **headers: str) -> Respond:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return respond


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that starts an HTTP server on the loopback address, and gives its URL."""
    started: list[http.server.ThreadingHTTPServer] = []

    def start(respond: Respond) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(OSError):  # the reader goes when it has had enough
                    respond(self)

            def log_message(self, *_: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def refusal(url: str, token: str | None = TOKEN, timeout: float = 30.0) -> DbvitalsError:
    with pytest.raises(DbvitalsError) as caught:
        read_app(url, token, timeout)
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_the_application_says_comes_whole(serve: Serve) -> None:
    asked = []

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append((request.path, request.headers["Authorization"]))
        answer(200, msgspec.json.encode(OBSERVATION))(request)

    url = serve(respond)
    assert read_app(url, TOKEN) == (OBSERVATION,)
    assert read_app(f"{url}/elsewhere?of=main", None) == (OBSERVATION,)
    assert asked == [("/ops/connections", f"Bearer {TOKEN}"), ("/elsewhere?of=main", None)]


def test_a_process_may_have_several_pools_and_say_more_than_is_known(serve: Serve) -> None:
    admin = replace(OBSERVATION, pool=replace(OBSERVATION.pool, name="admin"))
    body = msgspec.json.encode([OBSERVATION, admin]).replace(b'{"schema_version"', b'{"news":1,"schema_version"')
    assert read_app(serve(answer(200, body)), TOKEN) == (OBSERVATION, admin)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "refuses the token"),
        (403, b"", "refuses the token"),
        (302, b"", "points elsewhere"),
        (404, b"", "answers 404"),
        (500, b"", "answers 500"),
        (200, b"", "something else"),
        (200, b"<html>", "something else"),
        (200, b'{"pool": null}', "something else"),
        (200, b"\xff\xfe", "something else"),
        (200, b"[" * 100_000, "something else"),
        (200, msgspec.json.encode(replace(OBSERVATION, schema_version="2.0")), "speaks version '2.0'"),
    ],
)
def test_every_other_answer_is_one_clear_line(serve: Serve, status: int, body: bytes, said: str) -> None:
    error = refusal(serve(answer(status, body, Location="http://127.0.0.1:1/")))
    assert isinstance(error, ServerError)
    assert said in str(error)
    assert error.mend


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    asked = []
    other = serve(lambda request: asked.append(request.path))
    refusal(serve(answer(307, b"", Location=other)))
    assert asked == []


def test_an_endless_answer_is_read_up_to_a_bound(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_registry, "MOST_BYTES", 1_000_000)

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    assert "more than 1 MB" in str(refusal(serve(respond)))


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_dripping_answer_is_cut_at_the_deadline(serve: Serve, where: str) -> None:
    stopped = threading.Event()

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        if where == "body":
            request.send_response(200)
            request.send_header("Content-Length", "1000")
            request.end_headers()
        try:
            while True:
                request.wfile.write(b"x")
                request.wfile.flush()
                time.sleep(0.02)
        finally:
            stopped.set()

    assert "in time" in str(refusal(serve(respond), timeout=0.5))
    assert stopped.wait(60)


def test_an_answer_that_breaks_off_is_one_clear_line(serve: Serve) -> None:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)

    assert "cannot be reached" in str(refusal(serve(respond)))


@pytest.mark.parametrize(
    "body", [b"[]", b"", msgspec.json.encode(OBSERVATION)], ids=["no pools", "nothing", "one pool"]
)
def test_an_answer_that_is_shorter_than_it_says_is_not_taken_for_whole(serve: Serve, body: bytes) -> None:
    error = refusal(serve(answer(200, body, **{"Content-Length": str(len(body) + 1)})))
    assert "cannot be reached: its answer is cut short" in str(error)


def test_nobody_there_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "Connection refused" in str(refusal(f"http://127.0.0.1:{port}"))
    assert "cannot be reached" in str(refusal(f"http://{'a' * 64}.invalid"))  # no name can be so long


def test_a_server_without_tls_is_not_spoken_to_as_if_it_had_it(serve: Serve) -> None:
    assert isinstance(refusal(serve(answer(200, b"")).replace("http:", "https:")), ServerError)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "http://ho\nst",
        f"http://admin:{TOKEN}@localhost",
    ],
)
def test_what_is_no_address_is_a_wrong_call_that_gives_nothing_away(url: str) -> None:
    assert isinstance(refusal(url), UsageError)


def test_a_token_that_would_change_the_request_is_a_wrong_call(serve: Serve) -> None:
    with pytest.raises(UsageError, match="no token has"):
        read_apps([serve(answer(200, b""))], f"{TOKEN}\r\nX-Evil: 1")


def test_of_several_applications_each_answers_or_is_skipped(serve: Serve) -> None:
    good, bad = serve(answer(200, msgspec.json.encode(OBSERVATION))), serve(answer(401, b""))
    found = read_apps([good, bad, good], TOKEN)
    assert found.observations == (OBSERVATION, OBSERVATION)
    (skipped,) = found.skipped
    assert skipped.part == f"application at {bad.removeprefix('http://')}"
    assert "refuses the token" in skipped.why
    assert skipped.mend
