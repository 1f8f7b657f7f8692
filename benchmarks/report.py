"""Shows a benchmark's rows as a table, and keeps them as JSON."""

import json
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def show(name: str, title: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows, one line each, and write them with the machine's kind to results/NAME.json."""
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    kept = {"machine": platform.platform(), "python": platform.python_version(), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
