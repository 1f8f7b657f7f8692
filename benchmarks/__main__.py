"""`python3 dev.py bench [NAME …] [--full]`: run the named benchmarks, or all."""

import importlib
from pathlib import Path

import click

NO_BENCHMARKS = {"report", "keyspace_loader"}
NAMES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if not path.stem.startswith("_") and path.stem not in NO_BENCHMARKS
)


@click.command
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--full", is_flag=True, help="The large size as well: many minutes.")
def main(names: tuple[str, ...], full: bool) -> None:
    """Run benchmarks: each prints a table and writes JSON to benchmarks/results/."""
    for name in names or NAMES:
        importlib.import_module(f"benchmarks.{name}").run(full=full)


main()
