"""Runs the service: the checks before it, uvicorn, and its workers."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import disable_created_metrics

from app.api.exposition import FOLDER_VARIABLE
from app.api.parts import log_retries
from app.api.settings import ServiceSettings
from app.core.database import Database
from app.core.database_errors import translated_checkout
from app.core.errors import Unavailable
from app.core.logging import configure_logging
from app.core.misspelled import misspelled_variables
from app.db.pool_budget import check_pool_budget
from app.main import create_app

PROCESSES_VARIABLE = "POSTGRES_PROCESSES"

log = structlog.get_logger(__name__)


def make_app() -> FastAPI:
    """The application of one worker."""
    settings = ServiceSettings()
    configure_logging(settings.log_level)
    log_retries()
    # When each series began tells nobody anything, and doubles the page.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
    return create_app(settings)


async def check(settings: ServiceSettings) -> None:
    """Log what is most likely a mistake. Raises PoolBudgetExceeded when the settings refuse to start with too many."""
    for line in misspelled_variables(Path(".env"), ServiceSettings):
        log.warning(line)
    database = Database(settings)
    try:
        with translated_checkout():
            await check_pool_budget(database, settings)
    except Unavailable as error:
        log.warning("the pools' sizes could not be checked", error=str(error))
    finally:
        await database.close()


def settings_for(workers: int) -> ServiceSettings:
    """The settings; the workers are told how many processes there are, where nothing else says so."""
    settings = ServiceSettings()
    if "postgres_processes" in settings.model_fields_set:
        return settings
    os.environ[PROCESSES_VARIABLE] = str(workers)
    return ServiceSettings()


def run(settings: ServiceSettings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C; then requests under way finish, and what waits is written."""
    signal.signal(signal.SIGTERM, _leave)
    with _metrics_folder(workers):
        uvicorn.run(
            "app.server:make_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.http_shutdown_timeout,
        )


def _leave(_: int, __: FrameType | None) -> None:
    """End as after Ctrl-C: uvicorn raises the signal once more when it is done."""
    sys.exit(0)


@contextmanager
def _metrics_folder(workers: int) -> Iterator[None]:
    """Give several workers a folder for what they count; that of an earlier run must not be counted again."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named is not None:
        _empty(Path(named))
    if named is not None or workers == 1:
        yield
        return
    folder = tempfile.mkdtemp(prefix="agente-hotelero-metrics-")
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
