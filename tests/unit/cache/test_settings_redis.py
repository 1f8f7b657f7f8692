"""Which Redis is meant, and where it is said wrongly."""

import pytest

from dbvitals.errors import UsageError
from dbvitals.settings_redis import RedisTarget, has_password, resolve_redis


def resolve(
    options: dict[str, str | None] | None = None,
    environment: dict[str, str] | None = None,
    dotenv: dict[str, str] | None = None,
) -> RedisTarget:
    return resolve_redis(options=options or {}, environment=environment or {}, dotenv=dotenv or {})


def test_defaults() -> None:
    target = resolve()
    assert (str(target), target.password, target.tls, target.user) == ("localhost:6379/0", None, False, "")


def test_an_address_has_everything() -> None:
    target = resolve({"url": "rediss://reader:s%40cret@redis.example:6380/3"})
    assert target == RedisTarget(
        host="redis.example", port=6380, user="reader", password="s@cret", db=3, tls=True, tls_ca=None
    )


def test_a_socket() -> None:
    target = resolve({"url": "unix:///run/redis.sock?db=2&password=pw"})
    assert (target.path, target.db, target.password, target.name) == ("/run/redis.sock", 2, "pw", "/run/redis.sock")


def test_single_options_override_parts_of_the_address() -> None:
    target = resolve({"url": "redis://:pw@a:1/3", "port": "2", "db": "0"})
    assert (target.host, target.port, target.db, target.password) == ("a", 2, 0, "pw")


def test_options_win_over_the_environment_and_that_over_dotenv() -> None:
    environment = {"REDIS_HOST": "env", "REDIS_PORT": "2"}
    target = resolve({"host": "option"}, environment, {"REDIS_HOST": "file", "REDIS_PORT": "3", "REDIS_PASSWORD": "pw"})
    assert (target.host, target.port, target.password) == ("option", 2, "pw")


def test_a_host_that_is_named_is_meant_although_the_environment_has_a_socket() -> None:
    assert resolve({"host": "a"}, {"REDIS_URL": "unix:///run/redis.sock"}).path == ""
    assert resolve({"url": "unix:///run/redis.sock"}, {"REDIS_HOST": "a"}).path == "/run/redis.sock"


def test_ipv6_is_written_in_brackets() -> None:
    assert resolve({"url": "redis://[::1]:6379"}).name == "[::1]:6379"


def test_an_authority_switches_tls_on() -> None:
    assert resolve({"tls_ca": "ca.pem"}).tls


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        ({"port": "0"}, {}, "--port gives port '0'"),
        ({"port": "٣"}, {}, "--port"),
        ({"db": "-1"}, {}, "--db gives database '-1'"),
        ({"url": "http://a"}, {}, "--dsn is not a Redis address"),
        ({"url": "redis://a:port"}, {}, "--dsn is not a Redis address"),
        ({"url": "redis://[a"}, {}, "--dsn is not a Redis address"),
        ({}, {"REDIS_URL": "postgresql://a:s3cret@b"}, "REDIS_URL is not a Redis address"),
        ({}, {"REDIS_PORT": "many"}, "REDIS_PORT gives port 'many'"),
        ({}, {"REDIS_TLS": "maybe"}, "REDIS_TLS is 'maybe'"),
    ],
)
def test_a_bad_value_names_its_place(options: dict[str, str | None], environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(options, environment)
    assert str(caught.value).startswith(said)
    assert "s3cret" not in str(caught.value)


def test_no_password_is_shown() -> None:
    target = resolve({"url": "redis://:s3cret@a/0"})
    assert "s3cret" not in f"{target} {target!r}"


@pytest.mark.parametrize(
    ("url", "has"),
    [("redis://:pw@a", True), ("redis://a", False), ("unix:///s?password=x", True), ("redis://[", False)],
)
def test_whether_an_address_holds_a_password(url: str, has: bool) -> None:
    assert has_password(url) is has
