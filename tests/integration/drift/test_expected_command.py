"""`dbvitals expected`: writes the file, says when it is stale, and refuses what it cannot do."""

from pathlib import Path

import pytest

from dbvitals.cli import main

DDL = "CREATE TABLE guests (id bigint PRIMARY KEY, name text);\nCREATE INDEX i ON guests (lower(name));\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with declarations as SQL, and the place for the file."""
    (tmp_path / "dbvitals.toml").write_text('expected_sql = "schema.sql"\nexpected_snapshot = "kept.json"\n')
    (tmp_path / "schema.sql").write_text(DDL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_written_and_then_current(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expected", "--check"]) == 1
    assert capsys.readouterr().err == "dbvitals: kept.json is not of the present declarations: run dbvitals expected\n"
    assert main(["expected"]) == 0
    assert main(["expected", "--check"]) == 0
    (project / "schema.sql").write_text(DDL.replace("lower", "upper"))
    assert main(["expected", "--check"]) == 1


def test_the_same_declarations_give_the_same_bytes(project: Path) -> None:
    for name in ("a.json", "b.json"):
        assert main(["expected", "--output", name]) == 0
    assert (project / "a.json").read_bytes() == (project / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "declares nothing"),
        ('expected_sql = "schema.sql"\n', "give --output"),
        ('expected_sql = "schema.sql"\nexpected_snapshot = "kept.json"\n', "a declaration is not valid"),
    ],
)
def test_a_wrong_call_is_one_line(config: str, said: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dbvitals.toml").write_text(config)
    (project / "schema.sql").write_text("CREATE NONSENSE")
    assert main(["expected"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (project / "kept.json").exists()
