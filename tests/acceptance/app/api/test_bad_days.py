"""PostgreSQL restarts under load: nobody gets a bare 500, and what was acknowledged is in the audit trail."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from tests.acceptance.app.api.serving import Service, environment, serving, until
from tests.acceptance.app.api.test_serving import program_of
from tests.conftest import MakeDatabase
from tests.integration.app.hotel import Owner, open_hotel
from tests.integration.app.resilience.ground import Pms

GUESTS = 60
WRITERS = 4


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that other tests do not see restart."""
    binaries = max(find_all_postgres(), key=lambda found: found.major)
    # The sandbox's own default acknowledges what a crash may still lose.
    with start_postgres(binaries, settings={"synchronous_commit": "on"}) as server:
        yield server


class Writers:
    """Guests who write all the time, and what they were answered."""

    def __init__(self, service: Service, headers: dict[str, str]) -> None:
        self._service = service
        self._headers = headers
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        self.answers: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.strange: list[str] = []

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        guest = number
        with httpx.Client(base_url=self._service.http.base_url, trust_env=False, timeout=60) as http:
            while not self._over.is_set():
                guest = (guest + WRITERS) % GUESTS
                self._send(http, f"+346000000{guest:02}")
                time.sleep(0.01)

    def _send(self, http: httpx.Client, identifier: str) -> None:
        name = uuid4().hex
        message = {"platform": "whatsapp", "identifier": identifier, "text": "Hola"}
        answer = http.post("/v1/messages", json=message, headers={**self._headers, "X-Request-ID": name})
        self.answers[answer.status_code] += 1
        if answer.status_code == 200:
            self.acknowledged.append(name)
        elif answer.headers["content-type"] != "application/problem+json" or answer.json()["request_id"] != name:
            self.strange.append(answer.text)


def test_a_restart_of_postgresql_loses_nothing_that_was_acknowledged(
    own_postgres: PostgresServer,
    make_database: MakeDatabase,
    connect: Callable[[str], Owner],
    redis_url: str,
    pms: Pms,
    tmp_path: Path,
) -> None:
    dsn = make_database(own_postgres)
    hotel = open_hotel(dsn, connect(dsn))
    for number in range(GUESTS):
        hotel.add_identifier(hotel.ours, f"+346000000{number:02}", "whatsapp")
    with serving(environment(hotel, redis_url, pms.url, POSTGRES_POOL_TIMEOUT="5"), tmp_path) as service:
        until(lambda: service.readiness() == "ok", "everything is there")
        with Writers(service, program_of(service, hotel)) as writers:
            for _ in range(2):
                enough = len(writers.acknowledged) + 30
                until(lambda: len(writers.acknowledged) >= enough, "messages are taken")  # noqa: B023 - used at once
                crash(dsn)
            enough = len(writers.acknowledged) + 30
            until(lambda: len(writers.acknowledged) >= enough, "messages are taken again")
        until(lambda: service.readiness() == "ok", "everything is there again")
        assert service.stop() == 0
    assert writers.strange == []
    assert writers.answers.keys() <= {200, 503}
    with psycopg.connect(dsn) as owner:
        rows = owner.execute("select request_id, count(*) from audit_logs where resource like 'sessions/%' group by 1")
        found = {str(name): int(str(count)) for name, count in rows}
    assert {name: found.get(name) for name in writers.acknowledged} == dict.fromkeys(writers.acknowledged, 1)


def crash(dsn: str) -> None:
    """Kill one backend: the server ends all others and recovers from its log, as after a crash."""
    with psycopg.connect(dsn, autocommit=True) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)

    def is_back() -> bool:
        try:
            with psycopg.connect(dsn) as connection:
                return connection.execute("select 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    until(is_back, "the server has recovered")
