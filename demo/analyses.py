"""The toolkit's analyses of the demo: each command as a user would call it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dbvitals import cli
from demo.servers import Servers
from demo.service import POOL, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A command of dbvitals; `arguments` makes them from the servers."""

    name: str
    report: str
    arguments: Callable[[Servers], list[str]]


def of_pool(running_service: Service) -> Analysis:
    """The one that looks at the service's pool while it is open."""
    sizes = ["--pool-size", POOL["POSTGRES_POOL_SIZE"], "--max-overflow", POOL["POSTGRES_MAX_OVERFLOW"]]
    return Analysis(
        name="connections",
        report="connection_pool_report.json",
        arguments=lambda servers: ["connections", "--dsn", servers.dsn, *sizes, "--app", running_service.url],
    )


INDEXES = Analysis(
    name="indexes",
    report="index_analysis.json",
    arguments=lambda servers: ["indexes", "--dsn", servers.dsn],
)

CACHE = Analysis(
    name="cache",
    report="redis_analysis.json",
    arguments=lambda servers: ["cache", "--host", servers.redis.host, "--port", str(servers.redis.port)],
)


def analyse(analysis: Analysis, servers: Servers, folder: Path) -> tuple[Path, int]:
    """Run one, which shows its summary on standard output; gives the report's place and the exit code.

    Raises KeyboardInterrupt where the command ended by Ctrl-C.
    """
    report = folder / analysis.report
    code = cli.main([*analysis.arguments(servers), "--output", str(report)])
    if code == cli.INTERRUPTED:
        raise KeyboardInterrupt
    return report, code
