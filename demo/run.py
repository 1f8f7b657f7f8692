"""The demo from beginning to end: servers, schema, data, faults, traffic, analyses."""

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.db.migrate import upgrade
from demo import service, traffic
from demo.analyses import ANALYSES, analyse
from demo.faults import Fault, Moment, plant, planted
from demo.load import load
from demo.scale import Scale
from demo.servers import Servers, running
from demo.stages import Stages

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
"""The end of the data's year: fixed, so that the same seed makes the same rows on any day."""

PLAYBOOK = Path(".playbook")
KEPT = PLAYBOOK / "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do. Without `faults` the analyses find nothing above `info`."""

    scale: Scale
    seed: int
    faults: tuple[Fault, ...]
    keep: bool
    serve: bool


def run(plan: Plan, stages: Stages) -> int:
    """Do it; gives the first exit code of an analysis that is not 0, else 0. Raises what a stage raises."""
    with ExitStack() as stack:
        with stages.stage("start PostgreSQL and Redis"):
            servers = stack.enter_context(running(KEPT if plan.keep else None))
        fill(servers, plan, stages)
        code = _analyse(servers, stages)
        stages.say_total()
        if plan.serve:
            _serve(servers, plan, stages)
    if plan.keep:
        stages.say(f"the data stay in {KEPT}; start them again: dbvitals sandbox up --name demo --home {KEPT}")
    return code


def fill(servers: Servers, plan: Plan, stages: Stages) -> None:
    """Give the servers the hotel's year, its day of traffic, and the faults, each at its moment."""
    with stages.stage("migrate"):
        upgrade(servers.dsn)
    _plant(servers, plan, stages, "before the data")
    with stages.stage("load") as tell:
        load(servers.dsn, plan.scale, plan.seed, UNTIL, tell)
    _plant(servers, plan, stages, "before the traffic")
    with stages.stage("traffic") as tell:
        calls = traffic.make_calls(plan.scale, plan.seed, UNTIL, datetime.now(UTC).date())
        tell("starting the service")
        with service.running(servers, plan.seed) as running_service:
            tell(f"{len(calls)} guests and hotels at the service's door")
            traffic.run(running_service, calls)
    _plant(servers, plan, stages, "after the traffic")


def _plant(servers: Servers, plan: Plan, stages: Stages, moment: Moment) -> None:
    due = planted(plan.faults, moment)
    if due:
        with stages.stage(f"plant faults {moment}") as tell:
            plant(servers.dsn, due, tell)


def _analyse(servers: Servers, stages: Stages) -> int:
    codes = []
    for analysis in ANALYSES:
        with stages.timed(f"analyse {analysis.name}"):
            report, code = analyse(analysis, servers, PLAYBOOK)
        stages.say(f"no report: exit code {code}" if code else f"report: {report}")
        codes.append(code)
    return next((code for code in codes if code), 0)


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
