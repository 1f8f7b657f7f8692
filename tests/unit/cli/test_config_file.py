from pathlib import Path

import pytest

from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.cli.config_file import Config, load
from dbvitals.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_the_defaults_stand() -> None:
    assert load(None)[0] == Config()


def test_the_project_file_is_read_when_there_is_no_own_one(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.dbvitals]\nhost = "db"\n[tool.other]\nx = 1\n')
    config, name = load(None)
    assert (config.host, name) == ("db", "pyproject.toml")


def test_the_own_file_goes_before_the_project_file(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.dbvitals]\nhost = "project"\n')
    (folder / "dbvitals.toml").write_text('host = "own"\n')
    assert load(None)[0].host == "own"


def test_a_named_file_goes_before_both_and_may_have_either_form(folder: Path) -> None:
    (folder / "dbvitals.toml").write_text('host = "own"\n')
    (folder / "flat.toml").write_text('host = "flat"\n')
    (folder / "nested.toml").write_text('[tool.dbvitals]\nhost = "nested"\n')
    assert load(Path("flat.toml"))[0].host == "flat"
    assert load(Path("nested.toml"))[0].host == "nested"


def test_a_project_file_without_our_table_says_nothing(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert load(None)[0] == Config()


def test_thresholds_are_set_one_by_one(folder: Path) -> None:
    (folder / "dbvitals.toml").write_text("[indexes]\nmin_observed_days = 30\n")
    assert load(None)[0].indexes == IndexThresholds(min_observed_days=30.0)


def test_a_port_may_be_a_number_or_text(folder: Path) -> None:
    (folder / "dbvitals.toml").write_text("port = 6000\n")
    assert load(None)[0].connection()["port"] == "6000"


def test_options_get_their_defaults_from_the_file(folder: Path) -> None:
    (folder / "dbvitals.toml").write_text('strict = true\nfail_on = "high"\nlock_timeout = "1s"\n')
    assert load(None)[0].option_defaults() == {"strict": True, "fail_on": "high", "lock_timeout": "1s"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hots = 'db'", "there is no setting hots: did you mean host?"),
        (
            "[indexes]\nmin_observed_day = 1",
            "there is no setting indexes.min_observed_day: did you mean indexes.min_ob",
        ),
        ("zzz = 1", "there is no setting zzz: known are dsn, host"),
        ("password = 's3cret'", "a password does not belong here: use .env or PGPASSFILE"),
        ("host = 1", "the value of host is wrong: Expected str | null, got int"),
        (
            "[indexes]\nmin_observed_days = 'x'",
            "the value of indexes.min_observed_days is wrong: Expected float, got str",
        ),
        ("indexes = 1", "the value of indexes is wrong: Expected object, got int"),
        ("[indexes]\nbloat_min_percent = nan", "indexes.bloat_min_percent = nan makes no sense"),
        ("[indexes]\noversized_bytes = -1", "indexes.oversized_bytes = -1 makes no sense"),
        ("host = ", "is not valid TOML"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(folder: Path, text: str, message: str) -> None:
    (folder / "dbvitals.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load(None)
    assert message in str(caught.value)
    assert str(caught.value).startswith("dbvitals.toml")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_tool_table_that_is_none_is_an_error(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool]\ndbvitals = 1\n")
    with pytest.raises(UsageError, match=r"write \[tool.dbvitals\]"):
        load(None)


def test_a_named_file_has_to_be_there_and_to_be_text(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.toml cannot be read: No such file or directory: check --config"):
        load(Path("absent.toml"))
    (folder / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(Path("binary.toml"))
