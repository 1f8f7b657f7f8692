import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from dbvitals.errors import SandboxError
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.sandbox import redis as redis_module
from dbvitals.sandbox.ports import free_port


def test_answers_on_the_port_and_on_the_socket(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
    with Redis(unix_socket_path=str(redis_server.socket), password=redis_server.password) as client:
        assert client.get("key") == b"value"
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_asks_for_the_password(redis_server: RedisServer) -> None:
    with Redis(port=redis_server.port, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(AuthenticationError):
        client.ping()
    assert stat.S_IMODE(redis_server.socket.parent.stat().st_mode) == 0o700


def test_password_is_in_a_private_file_and_nowhere_else(redis_server: RedisServer) -> None:
    secret = redis_server.password.encode()
    assert secret not in Path(f"/proc/{redis_server.pid}/cmdline").read_bytes()
    assert secret not in Path(f"/proc/{redis_server.pid}/environ").read_bytes()
    assert secret not in redis_server.log.read_bytes()
    assert stat.S_IMODE((redis_server.home / "redis.conf").stat().st_mode) == 0o600


def test_throw_away_server_leaves_nothing_behind() -> None:
    with start_redis() as server:
        assert server.identity.alive()
    server.stop()
    assert not server.identity.alive()
    assert not server.home.exists()


def test_port_taken_in_between_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = iter([taken, taken])
        monkeypatch.setattr(redis_module, "free_port", lambda: next(ports, None) or free_port())
        with start_redis() as server, Redis.from_url(server.url) as client:
            assert server.port != taken
            assert client.ping()


def test_server_that_does_not_start_gives_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SandboxError, match=r"Redis did not start: .*[Bb]ad directive") as caught:
        start_redis(settings={"no-such-setting": "1"})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_kept_home_keeps_its_data_even_of_a_killed_server(tmp_path: Path) -> None:
    home = tmp_path / 'long and "odd", ' / ("deep-" * 20)
    with start_redis(home=home) as server, Redis.from_url(server.url) as client:
        client.set("first", "1")
    server = start_redis(home=home)
    with Redis.from_url(server.url) as client:
        client.set("second", "2")
        client.execute_command("WAITAOF", 1, 0, 5000)
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with start_redis(home=home) as server, Redis.from_url(server.url) as client:
        assert client.mget("first", "second") == [b"1", b"2"]


def test_settings_reach_the_server() -> None:
    settings = {"maxmemory": "8mb", "maxmemory-policy": "allkeys-lru"}
    with start_redis(settings=settings) as server, Redis.from_url(server.url) as client:
        seen = client.config_get("maxmemory*")
        assert (seen["maxmemory"], seen["maxmemory-policy"]) == ("8388608", "allkeys-lru")
