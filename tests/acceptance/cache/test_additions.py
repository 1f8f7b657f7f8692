"""What is added to a finished pass: where it fails, is refused or is stopped, the report is there all the same."""

import contextlib
import http.server
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from dbvitals.sandbox import RedisServer, start_redis
from tests.acceptance.cache.conftest import Run, environment, start
from tests.acceptance.cache.test_command import HERE, at
from tests.acceptance.cache.test_ended_early import interrupted
from tests.acceptance.cache.test_guide import report_in
from tests.acceptance.cli.lines import the_line
from tests.acceptance.cli.test_servers import closed_port, listening

SECRET = "s3cret-word"


def page(hits: int, misses: int) -> bytes:
    line = 'redis_cache_requests_total{family="availability",outcome="%s"} %d.0\n'
    return (line % ("hit", hits) + line % ("miss", misses)).encode()


@contextlib.contextmanager
def service(answer: Callable[[], bytes]) -> Iterator[str]:
    """The address of the metrics of a service; each page is made when it is asked for."""

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def parts(folder: Path) -> list[str]:
    return [skipped["part"] for skipped in report_in(folder / HERE)["incomplete"]]


@pytest.mark.parametrize(
    "address",
    [
        f"http://bob:{SECRET}@127.0.0.1:1/metrics",
        f"http://{SECRET}@127.0.0.1:1/metrics",
        f"ftp://127.0.0.1/{SECRET}",
        f"http://[::1/?token={SECRET}",
        f"http://127.0.0.1:99999/?token={SECRET}",
        f"http://127.0.0.1/a b?token={SECRET}",
        f"http://a..b/{SECRET}",
        f"http:///{SECRET}",
    ],
)
def test_a_wrong_address_of_the_service_is_said_before_a_server_is_asked(call: Run, address: str) -> None:
    line = the_line(call("--metrics", address, env=at(closed_port())), 2)
    assert "--metrics" in line
    assert SECRET not in line


def test_of_the_services_address_only_host_and_port_are_shown(call: Run, tmp_path: Path) -> None:
    port = closed_port()
    done = call("--metrics", f"http://127.0.0.1:{port}/{SECRET}?token={SECRET}")
    assert done.returncode == 0
    assert report_in(tmp_path / HERE)["incomplete"][0]["why"].startswith(f"http://127.0.0.1:{port} does not answer")
    assert SECRET not in done.stdout + done.stderr + (tmp_path / HERE).read_text()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"nonsense\r\n\r\n", "does not answer (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "does not answer (IncompleteRead)"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"# " * 2_500_000, "answers more than 4 MB"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "has no redis_cache_requests_total"),
    ],
    ids=["no http", "cut short", "elsewhere", "endless", "nothing counted"],
)
def test_a_service_that_answers_badly_is_a_missing_part(call: Run, tmp_path: Path, answer: bytes, why: str) -> None:
    with listening(answer) as port:
        done = call("--metrics", f"http://127.0.0.1:{port}/metrics")
    assert (done.returncode, done.stderr) == (0, "")
    (missing,) = report_in(tmp_path / HERE)["incomplete"]
    assert (missing["part"], missing["why"]) == ("hit ratio by pattern", f"http://127.0.0.1:{port} {why}")


@pytest.mark.parametrize("number", ["1e999", "1.2.3"])
def test_a_counter_that_is_no_number_is_a_missing_part(run: Run, folder: Path, number: str) -> None:
    text = 'redis_cache_requests_total{family="availability",outcome="hit"} ' + number
    with service(text.encode) as address:
        assert run("--metrics", address).returncode == 0
    assert parts(folder) == ["hit ratio by pattern"]


def test_a_server_that_dies_after_the_pass_costs_only_what_comes_after(tmp_path: Path) -> None:
    with start_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.mset({f"session:{number}": "x" for number in range(200)})

        def die() -> bytes:
            server.stop()
            return page(1, 1)

        with service(die) as address:
            command = ["-m", "dbvitals", "cache", "--metrics", address, "--never-read", "--keymiss", "1s", "--yes"]
            done = start(command, tmp_path, environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    name = f"{server.host}:{server.port}"
    assert parts(tmp_path)[-2:] == [f"keys never read on {name}", f"misses on {name}"]
    assert report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] == 200


def test_ctrl_c_while_it_listens_writes_what_is_there(tmp_path: Path, hotel: RedisServer) -> None:
    done = interrupted(tmp_path, hotel, "--keymiss", "10min", "--yes", after="listening for misses")
    assert done.returncode == 130, done.stderr
    assert parts(tmp_path) == ["interrupted"]
    assert report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] >= 4_006
    with redis.Redis.from_url(hotel.url) as client:
        assert client.config_get("notify-keyspace-events")["notify-keyspace-events"] == ""


def test_ctrl_c_while_the_service_is_asked_writes_what_is_there(tmp_path: Path, hotel: RedisServer) -> None:
    with listening(b"") as port:
        options = ("--metrics", f"http://127.0.0.1:{port}/", "--connect-timeout", "10min", "--keymiss", "10min")
        done = interrupted(tmp_path, hotel, *options, after="asking the service")
    assert done.returncode == 130, done.stderr
    assert parts(tmp_path) == ["interrupted"]
    assert report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] >= 4_006


def test_whether_misses_may_be_told_is_asked_before_the_pass(tmp_path: Path, hotel: RedisServer) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "dbvitals", "cache", "--verbose", "--keymiss", "1s"],
            cwd=tmp_path,
            env=environment(hotel),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            os.write(ours, b"n\n")
            _, error = process.communicate(timeout=120)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, error
    assert 0 <= error.index("set notify-keyspace-events") < error.index("connecting to")
    assert error.count("[y/N]") == 1
    why = "you said no to a change of notify-keyspace-events"
    assert report_in(tmp_path / HERE)["incomplete"][0]["why"] == why


@pytest.mark.parametrize(
    ("before", "after", "expected", "missing"),
    [
        (page(300, 700), page(345, 705), (45, 5), []),
        (b"# HELP redis_cache_requests_total looks\n", page(6, 2), (6, 2), []),
        (page(300, 700), page(3, 1), (None, None), ["hit ratio by pattern"]),
        (page(300, 700), page(301, 1), (None, None), ["hit ratio by pattern"]),
    ],
    ids=["grown", "new", "fallen", "one fallen"],
)
def test_within_a_window_the_services_counters_are_differences(
    run: Run, folder: Path, before: bytes, after: bytes, expected: tuple[int | None, int | None], missing: list[str]
) -> None:
    pages = iter((before, after))
    with service(lambda: next(pages)) as address:
        assert run("--metrics", address, "--window", "300ms", "--save", "seen.json").returncode == 0
    report = report_in(folder / HERE)
    assert (report["patterns"][0]["hits"], report["patterns"][0]["misses"]) == expected
    assert parts(folder) == missing
    lookups = json.loads((folder / "seen.json").read_text())["lookups"]
    assert all(one["seconds"] >= 0.3 for one in lookups)
    assert len(lookups) == len([hits for hits in expected[:1] if hits is not None])


def test_since_a_saved_snapshot_the_services_counters_are_differences(run: Run, folder: Path) -> None:
    pages = iter((page(300, 700), page(345, 705), page(346, 706)))
    with service(lambda: next(pages)) as address:
        assert run("--metrics", address, "--save", "one.json").returncode == 0
        assert run("--metrics", address, "--since", "one.json", "--save", "two.json").returncode == 0
        first = report_in(folder / HERE)["patterns"][0]
        assert run("--metrics", address, "--since", "two.json").returncode == 0
        second = report_in(folder / HERE)["patterns"][0]
    assert (first["hits"], first["misses"], first["hit_ratio"]) == (45, 5, 0.9)
    assert (second["hits"], second["misses"], second["hit_ratio"]) == (1, 1, 0.5)
    assert parts(folder) == []


def test_since_a_snapshot_without_the_services_counters_there_is_no_difference(run: Run, folder: Path) -> None:
    with service(lambda: page(300, 700)) as address:
        assert run("--save", "one.json").returncode == 0
        assert run("--metrics", address, "--since", "one.json").returncode == 0
    assert report_in(folder / HERE)["patterns"][0]["hits"] is None
    assert parts(folder) == ["hit ratio by pattern"]
