"""Rules of the house that import contracts cannot see: read from the syntax trees of the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = (
    "dbvitals/model.py",
    *(f"dbvitals/snapshot{part}.py" for part in ("", "_activity", "_keyspace", "_misses", "_pool")),
    "dbvitals/expect.py",
    "dbvitals/analyse",
    "dbvitals/render",
)
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
RANDOM = {"random", "uuid4", "token_hex", "token_urlsafe"}


def files(*places: str) -> Iterator[Path]:
    for place in places:
        path = ROOT / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Each called name, `f` or the `f` of `x.f`, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node.lineno


def found(names: set[str], *places: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}()"
        for path in files(*places)
        for name, line in calls(path)
        if name in names
    ]


def test_thinking_and_drawing_read_no_clock_and_no_dice() -> None:
    assert found(CLOCKS | RANDOM, *PURE) == []


def test_raw_sql_of_the_service_stays_in_its_database_layer() -> None:
    outside = [place for place in ("app/api", "app/services", "app/core", "app/main.py") if (ROOT / place).exists()]
    assert found({"text"}, *outside) == []
    tables = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files(*outside)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "__table__"
    ]
    assert tables == []


def test_services_do_not_commit() -> None:
    services = [place for place in ("app/services",) if (ROOT / place).exists()]
    assert found({"commit"}, *services) == []


def test_the_rule_would_see_an_offender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.test_house_rules.ROOT", tmp_path)
    (tmp_path / "bad.py").write_text("import datetime\ndatetime.datetime.now()\n")
    assert found(CLOCKS, "bad.py") == ["bad.py:2 now()"]


SQL = sorted((ROOT / "dbvitals/collect/sql").glob("*.sql"))


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_every_query_of_the_toolkit_has_its_header_and_only_reads(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    heads = [line.partition(":")[0] for line in text.splitlines() if line.startswith("-- ")]
    assert [head for head in heads if head in {"-- what", "-- since", "-- right", "-- cost"}] == [
        "-- what",
        "-- since",
        "-- right",
        "-- cost",
    ]
    body = "\n".join(line for line in text.splitlines() if not line.strip().startswith("--"))
    assert body.split()[0].upper() in {"SELECT", "WITH"}
