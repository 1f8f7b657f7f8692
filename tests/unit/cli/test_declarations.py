import sys
from pathlib import Path

import pytest

from dbvitals.cli.config_file import Config
from dbvitals.cli.declarations import load_expectations, load_families
from dbvitals.errors import UsageError

MODULE = """
from dbvitals.expect import Expectations, KeyFamily
expectations = Expectations(ddl=("CREATE TABLE t ()",))
other = 1
families = Expectations(families=(KeyFamily(pattern="room:*", description="rooms"),))


def models():
    return ("CREATE TABLE a ()", "CREATE TABLE b ()")


def broken():
    import absent_there


later = Expectations(lazy_ddl=models, families=families.families)
strange = Expectations(families=({"pattern": "x:*"},))
twice = Expectations(families=families.families * 2)
never = Expectations(lazy_ddl=broken, families=families.families)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "declared_here.py").write_text(MODULE)
    (tmp_path / "raises_here.py").write_text("1 / 0\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("declared_here", "raises_here"):
        sys.modules.pop(name, None)
    return tmp_path


def test_without_a_setting_nothing_is_declared() -> None:
    assert load_expectations(Config()) is None


def test_a_module_of_the_working_folder_is_found_and_the_path_left_as_it_was() -> None:
    before = list(sys.path)
    found = load_expectations(Config(expectations="declared_here:expectations"))
    assert found is not None
    assert found.ddl == ("CREATE TABLE t ()",)
    assert sys.path == before


def test_tables_are_declared_when_they_are_asked_for() -> None:
    found = load_expectations(Config(expectations="declared_here:later"))
    assert found is not None
    assert (found.ddl, found.lazy_ddl) == (("CREATE TABLE a ()", "CREATE TABLE b ()"), None)


@pytest.mark.parametrize("name", ["families", "later", "never"])
def test_families_are_had_without_the_tables(name: str) -> None:
    assert [family.pattern for family in load_families(Config(expectations=f"declared_here:{name}"))] == ["room:*"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("strange", "declares a dict as a family of keys"), ("twice", "declares 'room:*' twice")],
)
def test_families_that_are_none_are_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("*", "\\*")):
        load_families(Config(expectations=f"declared_here:{name}"))


def test_families_alone_declare_no_tables() -> None:
    assert load_expectations(Config(expectations="declared_here:families")) is None


def test_a_file_of_ddl_is_read(folder: Path) -> None:
    (folder / "schema.sql").write_text("CREATE TABLE habitación ();")
    found = load_expectations(Config(expected_sql="schema.sql"))
    assert found is not None
    assert found.ddl == ("CREATE TABLE habitación ();",)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(expectations="declared_here"), "expectations = 'declared_here' is no place: write module:attribute"),
        (
            Config(expectations="absent_here:x"),
            "cannot be imported: ModuleNotFoundError: No module named 'absent_here'",
        ),
        (Config(expectations="declared_here:x"), "cannot be imported: AttributeError: "),
        (Config(expectations="declared_here:never"), "cannot be imported: ModuleNotFoundError: No module named"),
        (Config(expectations="raises_here:x"), "cannot be imported: ZeroDivisionError: "),
        (Config(expectations="declared_here:other"), "declared_here:other is a int: it has to be a dbvitals.expect."),
        (Config(expected_sql="absent.sql"), "expected_sql = 'absent.sql' cannot be read: No such file or directory"),
        (Config(expected_sql="a.sql", expectations="a:b"), "keep one of the two"),
    ],
)
def test_a_declaration_that_cannot_be_had_is_one_line(config: Config, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_expectations(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
