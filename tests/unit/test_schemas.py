import json
from pathlib import Path

import jsonschema
import pytest

from dbvitals import schemas
from dbvitals.output import to_json
from tests.unit.render import reports

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("name", schemas.REPORTS)
def test_the_committed_schema_is_current(name: str) -> None:
    committed = (DOCS / f"{name}.schema.json").read_bytes()
    assert committed == to_json(schemas.schema(name)), "run python -m dbvitals.schemas docs/schemas"


@pytest.mark.parametrize("name", schemas.REPORTS)
def test_the_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


@pytest.mark.parametrize("report", [reports.empty, reports.hotel, reports.hostile])
def test_a_report_is_valid(report: object) -> None:
    assert callable(report)
    document = json.loads(to_json(report()))
    jsonschema.Draft202012Validator(schemas.schema("index_analysis")).validate(document)


@pytest.mark.parametrize("change", [{"surprise": 1}, {"summary": {}}, {"duration_seconds": "long"}])
def test_a_key_too_many_or_too_few_or_of_another_type_is_not(change: dict[str, object]) -> None:
    document = json.loads(to_json(reports.empty())) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schemas.schema("index_analysis")).validate(document)


def test_the_keys_of_the_guide_are_required() -> None:
    summary = schemas.schema("index_analysis")["$defs"]["Summary"]["required"]
    guide = {"total_indexes", "unused_indexes", "missing_indexes", "duplicate_indexes", "tables_analyzed"}
    assert guide <= set(summary)
    missing = schemas.schema("index_analysis")["$defs"]["MissingIndex"]["required"]
    assert {"table", "columns", "index_name", "sql", "priority", "reason"} <= set(missing)


def test_the_folder_is_written(tmp_path: Path) -> None:
    schemas.main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in DOCS.iterdir())
