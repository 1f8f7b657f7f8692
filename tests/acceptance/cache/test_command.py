"""`dbvitals cache`: what is written where, the exit codes, and calls that go wrong."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from dbvitals.sandbox import RedisServer
from tests.acceptance.cache.conftest import Run, environment
from tests.acceptance.cache.test_guide import report_in
from tests.acceptance.cli.lines import the_line
from tests.acceptance.cli.test_servers import closed_port, listening

HERE = ".playbook/redis_analysis.json"


def at(port: str) -> dict[str, str]:
    return environment() | {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": port}


def test_nobody_listens(call: Run) -> None:
    port = closed_port()
    assert f"cannot connect to 127.0.0.1:{port}: " in the_line(call(env=at(port)), 3)


def test_a_wrong_password(call: Run, hotel: RedisServer) -> None:
    line = the_line(call(env=environment(hotel) | {"REDIS_PASSWORD": "wr0ng"}), 3)
    assert "WRONGPASS" in line
    assert "wr0ng" not in line


def test_no_password(call: Run, hotel: RedisServer) -> None:
    assert "REDIS_PASSWORD" in the_line(call(env=at(str(hotel.port))), 3)


def test_no_such_database(call: Run) -> None:
    assert "check --db" in the_line(call("--db", "99999"), 3)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64])
def test_what_answers_is_no_redis(call: Run, answer: bytes) -> None:
    with listening(answer) as port:
        the_line(call(env=at(port)), 3)


def test_nobody_answers_in_time(call: Run) -> None:
    with listening(b"") as port:
        assert "no answer in time" in the_line(call("--statement-timeout", "1s", env=at(port)), 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fast", "--gentle"),
        ("--window", "1s", "--since", "seen.json"),
        ("--rdb", "dump.rdb", "--sample", "100"),
        ("--from", "seen.json", "--window", "1s"),
        ("--from", "seen.json", "--save", "again.json"),
        ("--calibrate",),
        ("--output", "-", "--diff", "old.json"),
        ("--save", "-"),
        ("--save", "both.json", "--output", "./both.json"),
        ("--port", "many"),
        ("--sample", "3"),
        ("--dsn", "postgresql://a"),
        ("--metrics", "file:///etc/passwd"),
        ("--since", "absent.json"),
        ("--nonsense",),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_one_line(call: Run, arguments: tuple[str, ...]) -> None:
    the_line(call(*arguments), 2)


@pytest.mark.parametrize(
    ("option", "file"),
    [
        (("--metrics", "http://127.0.0.1:1/metrics"), "--from"),
        (("--show-keys",), "--from"),
        (("--all-dbs",), "--from"),
        (("--fast",), "--from"),
        (("--max-seconds", "1s"), "--from"),
        (("--fast",), "--rdb"),
        (("--max-seconds", "1s"), "--rdb"),
        (("--master", "hotel"), "--rdb"),
        (("--since", "seen.json"), "--rdb"),
    ],
    ids=str,
)
def test_what_a_file_cannot_heed_is_refused_by_name(call: Run, option: tuple[str, ...], file: str) -> None:
    assert f"{option[0]} does not go with " in the_line(call(file, "seen", *option), 2)


@pytest.mark.parametrize(("closed", "still"), [(">&-", "2"), ("2>&-", "1")])
def test_a_stream_that_is_closed_is_written_to_nowhere(
    hotel: RedisServer, tmp_path: Path, closed: str, still: str
) -> None:
    """As whoever starts programs in the background may do."""
    line = f'"$0" -m dbvitals cache --show-keys {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable],
        check=False,
        cwd=tmp_path,
        env=environment(hotel),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "bug of dbvitals" in done.stdout + done.stderr) == (0, False)
    assert (done.stdout != "") == (still == "1")
    assert (tmp_path / HERE).exists()


def test_a_dsn_works_and_its_password_draws_a_warning(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    done = call("--dsn", hotel.url, "--save", "seen.json", env=environment())
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "can see a password" not in line] == []
    assert len(done.stderr.splitlines()) == 1
    texts = [
        done.stdout,
        done.stderr,
        *(path.read_text() for path in tmp_path.glob("*.json")),
        (tmp_path / HERE).read_text(),
    ]
    assert not [text for text in texts if hotel.password in text]


def test_output_to_standard_output_is_json_and_nothing_else(call: Run, tmp_path: Path) -> None:
    done = call("--output", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["tool"]["name"] == "dbvitals"
    assert not (tmp_path / ".playbook").exists()


def test_quiet_shows_nothing(call: Run, tmp_path: Path) -> None:
    done = call("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / HERE).exists()


@pytest.mark.parametrize(("level", "code"), [("none", 0), ("critical", 1), ("info", 1)])
def test_fail_on(run: Run, level: str, code: int) -> None:
    assert run("--fail-on", level).returncode == code


def test_thresholds_and_separators_may_stand_in_the_config_file(call: Run, tmp_path: Path) -> None:
    (tmp_path / "dbvitals.toml").write_text('key_separators = ":/"\n[cache]\nno_ttl_min_keys = 3\n')
    done = call()
    assert done.returncode == 0
    report = report_in(tmp_path / HERE)
    assert {row["family"] for row in report["patterns"]} == {None}
    growing = {finding["subject"]["name"] for finding in report["findings"] if finding["rule"] == "RED020"}
    assert {"report:<n>:pdf", "tenant:<n>", "session:leaked<n>"} <= growing


@pytest.mark.parametrize("separators", ["", "a", "*", "{}", "0"])
def test_separators_that_make_no_sense(call: Run, tmp_path: Path, separators: str) -> None:
    (tmp_path / "dbvitals.toml").write_text(f'key_separators = "{separators}"\n')
    if separators == "a":
        assert call().returncode == 0
    else:
        assert "key_separators" in the_line(call(), 2)


@pytest.fixture
def restricted(hotel: RedisServer) -> Iterator[dict[str, str]]:
    """A login that may not ask for sizes, nor for the settings."""
    with redis.Redis.from_url(hotel.url) as client:
        client.acl_setuser("plain", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-memory", "-config"])
        yield environment(hotel) | {"REDIS_USERNAME": "plain", "REDIS_PASSWORD": "pw"}
        client.acl_deluser("plain")


def test_strict_is_4_when_a_part_is_missing(call: Run, tmp_path: Path, restricted: dict[str, str]) -> None:
    assert call(env=restricted).returncode == 0
    done = call("--strict", env=restricted)
    assert done.returncode == 4
    assert "This report is incomplete" in done.stdout
    parts = {skipped["part"].partition(" of ")[0] for skipped in report_in(tmp_path / HERE)["incomplete"]}
    assert parts == {"settings", "sizes"}


def test_a_saved_snapshot_gives_the_same_report(call: Run, tmp_path: Path) -> None:
    assert call("--save", "seen.json").returncode == 0
    first = report_in(tmp_path / HERE)
    done = call("--from", "seen.json", env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert first | {"duration_seconds": 0} == report_in(tmp_path / HERE) | {"duration_seconds": 0}


def test_hits_and_misses_since_a_saved_snapshot(call: Run, tmp_path: Path, hotel: RedisServer) -> None:
    assert call("--save", "seen.json").returncode == 0
    with redis.Redis.from_url(hotel.url) as client:
        for number in range(40):
            client.get(f"rate_limit:absent{number}")
            client.get("tenant:1")
    assert call("--since", "seen.json").returncode == 0
    summary = report_in(tmp_path / HERE)["summary"]
    assert (summary["hits"], summary["misses"], summary["hit_ratio"]) == (40, 40, 0.5)
    assert summary["window"]["source"] == "saved"


def test_a_window_without_reads_has_no_ratio(call: Run, tmp_path: Path) -> None:
    done = call("--window", "300ms")
    assert done.returncode == 0
    assert "no reads in a window" in done.stdout
    summary = report_in(tmp_path / HERE)["summary"]
    assert (summary["hit_ratio"], summary["hits"], summary["misses"]) == (None, 0, 0)
    assert summary["window"]["own_hits"] >= 4_006


def test_diff_shows_what_changed_and_reads_the_old_report_before_it_is_replaced(call: Run, hotel: RedisServer) -> None:
    call()
    assert "What changed in the cache" in call("--diff", HERE).stdout
    with redis.Redis.from_url(hotel.url) as client:
        client.mset({f"added:{number}": "x" for number in range(9)})
        done = call("--diff", HERE, "--format", "json")
        client.delete(*(f"added:{number}" for number in range(9)))
    assert "added:<n>" in {one["pattern"] for one in json.loads(done.stdout)["patterns"]}


def test_names_are_masked_unless_asked_for(call: Run, hotel: RedisServer, tmp_path: Path) -> None:
    with redis.Redis.from_url(hotel.url) as client:
        client.set("guest:maria@example.org:+34600112233", "x" * 200_000)
        try:
            call()
            masked = (tmp_path / HERE).read_text()
            call("--show-keys")
            shown = (tmp_path / HERE).read_text()
        finally:
            client.delete("guest:maria@example.org:+34600112233")
    assert "maria" not in masked
    assert "34600112233" not in masked
    assert "guest:<email>:<phone>" in masked
    assert "guest:maria@example.org:+34600112233" in shown


def test_print_acl_asks_no_server(call: Run) -> None:
    done = call("--print-acl", env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert "ACL SETUSER dbvitals" in done.stdout
    assert "+eval_ro" in done.stdout


def test_a_sample(call: Run, tmp_path: Path) -> None:
    done = call("--sample", "500")
    assert done.returncode == 0
    coverage = report_in(tmp_path / HERE)["summary"]["coverage"]
    assert (coverage["mode"], coverage["keys_seen"]) == ("sample", 500)


@pytest.mark.parametrize("speed", ["--fast", "--gentle"])
def test_speeds(call: Run, tmp_path: Path, speed: str) -> None:
    assert call(speed, "--quiet").returncode == 0
    assert report_in(tmp_path / HERE)["summary"]["coverage"]["keys_seen"] >= 4_006


def test_the_services_metrics_give_hit_ratios_by_pattern(run: Run, folder: Path) -> None:
    page = b"\n".join(
        b'redis_cache_requests_total{family="availability",outcome="%s"} %d.0' % (outcome, number)
        for outcome, number in ((b"hit", 300), (b"miss", 700))
    )

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        done = run("--metrics", f"http://127.0.0.1:{service.server_port}/metrics")
        service.shutdown()
    assert done.returncode == 0
    report = report_in(folder / HERE)
    assert report["patterns"][0]["hit_ratio"] == 0.3
    assert "RED022" in {finding["rule"] for finding in report["findings"]}


def test_a_service_that_is_away_is_a_missing_part(call: Run, tmp_path: Path) -> None:
    done = call("--metrics", f"http://127.0.0.1:{closed_port()}/metrics")
    assert done.returncode == 0
    assert [skipped["part"] for skipped in report_in(tmp_path / HERE)["incomplete"]] == ["hit ratio by pattern"]
