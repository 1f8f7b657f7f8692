"""The demo from beginning to end: servers, schema, data, faults, traffic, analyses."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.db.migrate import upgrade
from demo import found, service, traffic
from demo.analyses import CACHE, INDEXES, Analysis, analyse, of_pool
from demo.faults import Fault, Moment, plant, planted
from demo.found import Planted
from demo.load import load
from demo.redis_faults import RedisFault, plant_in_redis
from demo.scale import Scale
from demo.servers import Servers, running
from demo.service import Service
from demo.stages import Stages

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
"""The end of the data's year: fixed, so that the same seed makes the same rows on any day."""

PLAYBOOK = Path(".playbook")
KEPT = PLAYBOOK / "demo"
# Where the analyses look for secrets: other users of the machine can read what stands on a command line.
TOKEN, PASSWORD = "DBVITALS_APP_TOKEN", "REDIS_PASSWORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do. Without faults the analyses find nothing above `info` but a cold cache's hit ratio."""

    scale: Scale
    seed: int
    faults: tuple[Fault, ...]
    redis_faults: tuple[RedisFault, ...]
    keep: bool
    serve: bool


def run(plan: Plan, stages: Stages) -> int:
    """Do it; gives the first exit code of an analysis that is not 0, else 0. Raises what a stage raises."""
    with ExitStack() as stack:
        with stages.stage("start PostgreSQL and Redis"):
            servers = stack.enter_context(running(KEPT if plan.keep else None))
        with filled(servers, plan, stages) as running_service:
            os.environ.update({TOKEN: running_service.admin_token, PASSWORD: servers.redis.password})
            codes = [_analyse(of_pool(running_service), servers, stages)]
        _plant_last(servers, plan, stages)
        codes += [_analyse(analysis, servers, stages) for analysis in (INDEXES, CACHE)]
        if not any(codes):
            _tell_found(plan, stages)
        stages.say_total()
        if plan.serve:
            _serve(servers, plan, stages)
    if plan.keep:
        stages.say(f"the data stay in {KEPT}; start them again: dbvitals sandbox up --name demo --home {KEPT}")
    return next((code for code in codes if code), 0)


def fill(servers: Servers, plan: Plan, stages: Stages) -> None:
    """Give the servers the hotel's year, its day of traffic, and the faults, each at its moment."""
    with filled(servers, plan, stages):
        pass
    _plant_last(servers, plan, stages)


@contextmanager
def filled(servers: Servers, plan: Plan, stages: Stages) -> Iterator[Service]:
    """The same but for the last faults, with the service still running at the end of its day."""
    with stages.stage("migrate"):
        upgrade(servers.dsn)
    _plant(servers, plan, stages, "before the data")
    with stages.stage("load") as tell:
        load(servers.dsn, plan.scale, plan.seed, UNTIL, tell)
    _plant(servers, plan, stages, "before the traffic")
    with ExitStack() as stack:
        with stages.stage("start the service"):
            running_service = stack.enter_context(service.running(servers, plan.seed))
        with stages.stage("traffic"):
            calls = traffic.make_calls(plan.scale, plan.seed, UNTIL, datetime.now(UTC).date())
            traffic.run(running_service, calls)
        yield running_service


def _plant(servers: Servers, plan: Plan, stages: Stages, moment: Moment) -> None:
    due = planted(plan.faults, moment)
    if due:
        with stages.stage(f"plant faults {moment}") as tell:
            plant(servers.dsn, due, tell)


def _plant_last(servers: Servers, plan: Plan, stages: Stages) -> None:
    _plant(servers, plan, stages, "after the traffic")
    if plan.redis_faults:
        with stages.stage("plant faults in Redis") as tell:
            plant_in_redis(servers.redis.url, plan.redis_faults, plan.seed, tell)


def _tell_found(plan: Plan, stages: Stages) -> None:
    """Say which faults were planted, and which of them the reports name."""
    both: tuple[tuple[str, tuple[Planted, ...], Analysis], ...] = (
        ("PostgreSQL", plan.faults, INDEXES),
        ("Redis", plan.redis_faults, CACHE),
    )
    for where, faults, analysis in both:
        if faults:
            findings = found.findings_in(PLAYBOOK / analysis.report)
            count = sum(fault.finding in findings for fault in faults)
            stages.say(f"planted in {where} and found: {count} of {len(faults)}")
            for line in found.lines(faults, findings):
                stages.say(line)


def _analyse(analysis: Analysis, servers: Servers, stages: Stages) -> int:
    with stages.timed(f"analyse {analysis.name}"):
        report, code = analyse(analysis, servers, PLAYBOOK)
    stages.say(f"no report: exit code {code}" if code else f"report: {report}")
    return code


def _serve(servers: Servers, plan: Plan, stages: Stages) -> None:
    """Leave the servers and the service running until Ctrl-C."""
    with service.running(servers, plan.seed) as running_service:
        for line in (*servers.addresses(), *running_service.addresses()):
            stages.say(line)
        stages.say("running until Ctrl-C")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            stages.say("stopping")
