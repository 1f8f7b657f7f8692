import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbvitals.errors import UsageError
from dbvitals.settings import (
    PostgresTarget,
    has_password,
    read_dotenv,
    replica_target,
    resolve_postgres,
)

DEFAULTS = {"host": "localhost", "port": "5432", "dbname": "agente_hotel"}


def resolve(
    options: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
    config: Mapping[str, str | None] | None = None,
) -> PostgresTarget:
    return resolve_postgres(
        options=options or {},
        environment=environment or {},
        dotenv=dotenv or {},
        config=config or {},
        config_name="pyproject.toml",
    )


def kwargs(**sources: Any) -> dict[str, str]:
    return resolve(**sources).connect_kwargs()


def test_with_nothing_given_the_defaults_stand() -> None:
    assert kwargs() == DEFAULTS


def test_option_beats_environment_beats_dotenv_beats_config_beats_default() -> None:
    sources: dict[str, Mapping[str, str]] = {
        "options": {"host": "option"},
        "environment": {"POSTGRES_HOST": "environment"},
        "dotenv": {"POSTGRES_HOST": "dotenv"},
        "config": {"host": "config"},
    }
    for name in ("options", "environment", "dotenv", "config"):
        expected = name.removesuffix("s")
        assert kwargs(**sources)["host"] == expected
        del sources[name]
    assert kwargs()["host"] == "localhost"


def test_single_options_override_the_parts_of_the_dsn() -> None:
    dsn = "postgresql://admin:s%40fe@db:6000/hotel?sslmode=require"
    assert kwargs(options={"dsn": dsn, "port": "6001"}) == {
        "host": "db",
        "port": "6001",
        "dbname": "hotel",
        "user": "admin",
        "password": "s@fe",
        "sslmode": "require",
    }


def test_a_dsn_as_conninfo_works_too() -> None:
    assert kwargs(options={"dsn": "host=/run/pg dbname='my db'"}) == DEFAULTS | {"host": "/run/pg", "dbname": "my db"}


def test_what_the_dsn_leaves_open_comes_from_the_environment() -> None:
    found = kwargs(options={"dsn": "postgresql://db/hotel"}, environment={"POSTGRES_PASSWORD": "p", "PGUSER": "u"})
    assert found == DEFAULTS | {"host": "db", "dbname": "hotel", "password": "p", "user": "u"}


def test_the_variables_of_the_guide_beat_those_of_libpq() -> None:
    both = {"POSTGRES_HOST": "guide", "PGHOST": "libpq", "PGPORT": "6000"}
    assert kwargs(environment=both) == DEFAULTS | {"host": "guide", "port": "6000"}


def test_a_variable_of_libpq_beats_dotenv() -> None:
    assert kwargs(environment={"PGHOST": "libpq"}, dotenv={"POSTGRES_HOST": "dotenv"})["host"] == "libpq"


def test_a_service_answers_all_that_stands_below_it() -> None:
    found = kwargs(
        options={"user": "me"},
        environment={"PGSERVICE": "prod", "PGHOST": "libpq", "PGPASSFILE": "/p"},
        dotenv={"POSTGRES_HOST": "dotenv", "POSTGRES_PASSWORD": "dotenv"},
    )
    assert found == {"user": "me", "service": "prod", "passfile": "/p"}


def test_a_service_in_the_dsn_is_not_overridden_by_the_environment() -> None:
    found = kwargs(options={"dsn": "service=prod"}, environment={"POSTGRES_HOST": "elsewhere"})
    assert found == {"service": "prod"}


def test_an_address_without_a_name_gets_no_default_host() -> None:
    assert "host" not in kwargs(environment={"PGHOSTADDR": "10.0.0.1"})


def test_empty_variables_count_as_unset() -> None:
    assert kwargs(environment={"POSTGRES_HOST": "", "PGPORT": ""}) == DEFAULTS


def test_time_outs_and_name_of_the_dsn_leave_room_for_ours() -> None:
    dsn = "host=db connect_timeout=3 application_name=x keepalives=1"
    assert kwargs(options={"dsn": dsn}) == DEFAULTS | {"host": "db", "keepalives": "1"}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"options": {"port": "70000"}}, "--port gives port '70000': a port is a number from 1 to 65535"),
        ({"environment": {"POSTGRES_PORT": "abc"}}, "POSTGRES_PORT gives port 'abc': "),
        ({"dotenv": {"POSTGRES_PORT": "0"}}, "POSTGRES_PORT in .env gives port '0': "),
        ({"config": {"port": "٣"}}, "port in pyproject.toml gives port '٣': "),
        ({"options": {"dsn": "postgresql://h:99999/x"}}, "--dsn gives port '99999': "),
        ({"options": {"host": ""}}, "--host gives an empty host: "),
        ({"options": {"host": "postgresql://h/x"}}, "--host gives a URL as host: give it to --dsn"),
        ({"options": {"sslmode": "on"}}, "--sslmode gives sslmode 'on': it is one of disable, allow, "),
        ({"environment": {"PGSSLMODE": "yes"}}, "PGSSLMODE gives sslmode 'yes': "),
        ({"options": {"dsn": ""}}, "--dsn is not a PostgreSQL address: "),
        ({"config": {"dsn": "nonsense"}}, "dsn in pyproject.toml is not a PostgreSQL address: "),
    ],
)
def test_a_bad_value_names_its_place_and_the_way_to_mend_it(sources: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(**sources)
    assert str(caught.value).startswith(message)
    assert caught.value.mend
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresl://admin:s3cret@db/hotel",
        "postgresql://admin:s3cret%zz@db/hotel",
        "postgresql://admin:s3cret@[db/hotel",
        "postgresql://db/hotel?s3cret=1",
        "host=db password=s3cret nonsense",
    ],
)
def test_a_malformed_dsn_is_never_quoted(dsn: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(options={"dsn": dsn})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_neither_text_nor_repr_shows_a_password() -> None:
    target = resolve(options={"dsn": "postgresql://admin:s3cret@db/hotel"})
    assert str(target) == "db:5432/hotel"
    assert "s3cret" not in repr(target)
    assert target.connect_kwargs()["password"] == "s3cret"


def test_a_service_is_named_in_the_text() -> None:
    assert str(resolve(environment={"PGSERVICE": "prod"})) == "service prod"


def test_a_replica_has_its_own_place_and_the_login_of_the_primary() -> None:
    primary = resolve(
        options={"host": "one", "port": "6000", "user": "u", "password": "p", "database": "d", "sslmode": "require"}
    )
    assert replica_target("host=two", primary).connect_kwargs() == {
        "host": "two",
        "port": "5432",
        "user": "u",
        "password": "p",
        "dbname": "d",
        "sslmode": "require",
    }
    assert replica_target("postgresql://v:q@three:7000/d", primary).connect_kwargs()["password"] == "q"


def test_a_password_in_a_dsn_is_recognised() -> None:
    assert has_password("postgresql://u:p@h/d")
    assert has_password("password=p")
    assert not has_password("postgresql://u@h/d")
    assert not has_password("nonsense")


def test_dotenv_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("POSTGRES_PASSWORD='a$HOME#b'\nexport POSTGRES_USER=admin # note\nEMPTY=\nALONE\n")
    assert read_dotenv(path) == {"POSTGRES_PASSWORD": "a$HOME#b", "POSTGRES_USER": "admin"}


def test_without_dotenv_there_is_nothing(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env") == {}


def test_a_broken_line_of_dotenv_is_told_and_the_rest_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / ".env"
    path.write_text("POSTGRES_USER='never closed\nPOSTGRES_HOST=db\n")
    with caplog.at_level(logging.WARNING):
        assert read_dotenv(path) == {"POSTGRES_HOST": "db"}
    assert "line 1" in caplog.text


def test_a_dotenv_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\xfe")
    with pytest.raises(UsageError, match=r"not UTF-8"):
        read_dotenv(path)
