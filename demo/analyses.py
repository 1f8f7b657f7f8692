"""The toolkit's analyses of the demo: each command as a user would call it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dbvitals import cli
from demo.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A command of dbvitals; `arguments` makes them from the servers and the file for the report."""

    name: str
    report: str
    arguments: Callable[[Servers, Path], list[str]]


ANALYSES = (
    Analysis(
        name="indexes",
        report="index_analysis.json",
        arguments=lambda servers, report: ["indexes", "--dsn", servers.dsn, "--output", str(report)],
    ),
)


def analyse(analysis: Analysis, servers: Servers, folder: Path) -> tuple[Path, int]:
    """Run one, which shows its summary on standard output; gives the report's place and the exit code.

    Raises KeyboardInterrupt where the command ended by Ctrl-C.
    """
    report = folder / analysis.report
    code = cli.main(analysis.arguments(servers, report))
    if code == cli.INTERRUPTED:
        raise KeyboardInterrupt
    return report, code
