"""The hotel's service as the demo runs it: its logins, its settings, and the sandbox PMS beside it."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from dbvitals.sandbox.ports import free_port
from demo import processes
from demo.processes import Program
from demo.servers import Servers

SERVICE, OPERATOR = "hotel_demo_service", "hotel_demo_admin"
LOGINS = {SERVICE: "hotel_service", OPERATOR: "hotel_admin"}
PMS_LISTENS = re.compile(r"^listening on (\S+)$", re.MULTILINE)
# More than the driver's connections: nobody waits for one.
POOL = {"POSTGRES_POOL_SIZE": "10", "POSTGRES_MAX_OVERFLOW": "10"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where the running service and its PMS are, and the operator's token."""

    url: str
    pms_url: str
    admin_token: str = field(repr=False)
    pid: int = 0

    def addresses(self) -> tuple[str, ...]:
        """Lines that say where it is, and how to ask it something."""
        return (
            f"service     {self.url}/docs  {self.url}/metrics",
            f"            curl -H 'Authorization: Bearer {self.admin_token}' {self.url}/v1/tenants?limit=3",
        )


@contextmanager
def running(servers: Servers, seed: int) -> Iterator[Service]:
    """Start the PMS and the service; end them in good order, so that all they have counted is handed in."""
    _make_logins(servers.dsn)
    with TemporaryDirectory(prefix="dbvitals-demo-") as name:
        folder = Path(name)
        with processes.running("the PMS", ["demo.pms", "--port", "0", "--seed", str(seed)], {}, folder) as pms:
            service = Service(
                url=f"http://127.0.0.1:{free_port()}", pms_url=_pms_url(pms), admin_token=secrets.token_urlsafe(32)
            )
            with processes.running("the service", *_command(servers, service), folder) as program:
                _wait_until_ready(program, service)
                yield replace(service, pid=program.pid)


def _make_logins(dsn: str) -> None:
    """Roles belong to the server, which may have them already."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for login, group in LOGINS.items():
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone() is None:
                statement = sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}")
                connection.execute(statement.format(sql.Identifier(login), sql.Identifier(group)))


def _command(servers: Servers, service: Service) -> tuple[list[str], dict[str, str]]:
    """Arguments and settings; the demo's PostgreSQL asks for no password on its private socket."""
    parts = conninfo_to_dict(servers.dsn)
    settings = POOL | {
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts["port"]),
        "POSTGRES_DB": str(parts["dbname"]),
        "POSTGRES_USER": SERVICE,
        "POSTGRES_ADMIN_USER": OPERATOR,
        "REDIS_URL": servers.redis.url,
        "REDIS_KEY_SECRET": secrets.token_urlsafe(16),
        "PMS_BASE_URL": service.pms_url,
        "ADMIN_TOKEN": service.admin_token,
        "LOG_LEVEL": "warning",
    }
    return ["app", "serve", "--port", str(urlsplit(service.url).port)], settings


def _pms_url(pms: Program) -> str:
    return pms.wait_for(lambda: PMS_LISTENS.search(pms.said()))[1]


def _wait_until_ready(program: Program, service: Service) -> None:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        program.wait_for(lambda: _answers(client))


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
