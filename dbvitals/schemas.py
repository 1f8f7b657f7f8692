"""The JSON Schemas (2020-12) of the reports, made from their types: `python -m dbvitals.schemas docs/schemas`."""

import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.analyse.index_report import IndexReport
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.output import to_json, write

REPORTS: dict[str, tuple[type, str]] = {
    "index_analysis": (IndexReport, "What `dbvitals indexes` writes to .playbook/index_analysis.json"),
    "connection_pool_report": (
        ConnectionReport,
        "What `dbvitals connections` writes to .playbook/connection_pool_report.json",
    ),
    "redis_analysis": (CacheReport, "What `dbvitals cache` writes to .playbook/redis_analysis.json"),
}
"""File name, type and title of each report."""


def schema(name: str) -> dict[str, Any]:
    """Make the schema of one report; the same types give the same bytes."""
    report, title = REPORTS[name]
    (reference,), components = msgspec.json.schema_components([report], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **reference,
        "$defs": {key: _closed(components[key]) for key in sorted(components)},
    }


def _closed(component: dict[str, Any]) -> dict[str, Any]:
    """Name all keys, for they are always written, and allow no others: that would be a mistake of ours."""
    described = component | {"description": inspect.cleandoc(component.get("description", ""))}
    if component.get("type") != "object":
        return described
    properties = {
        name: {key: value for key, value in rules.items() if key != "default"}
        for name, rules in component["properties"].items()
    }
    return described | {"properties": properties, "required": list(properties), "additionalProperties": False}


def main(folder: Path) -> None:
    """Write every schema into a folder."""
    for name in REPORTS:
        write(str(folder / f"{name}.schema.json"), to_json(schema(name)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
