"""The metrics file, the lines of a watch, its screen, and the schema."""

import io
import json
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from dbvitals import schemas
from dbvitals.analyse.blocking import TreeContext, blocking_trees
from dbvitals.analyse.connection_refused import refused
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.connections import connection_rows
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.model import Target
from dbvitals.output import to_json
from dbvitals.render.connection_document import overview, whole
from dbvitals.render.connection_live import LiveState, screen, spark
from dbvitals.render.html import draw as draw_html
from dbvitals.render.markdown import draw as draw_markdown
from dbvitals.render.prometheus import draw, draw_failure, last_success_of
from dbvitals.render.terminal import draw as draw_terminal
from tests.unit.connections.builders import NOW, probe, question, report, session, snapshot

GOLDEN = Path(__file__).parent / "golden"

HOSTILE = "a\"b'c,<script>\n\x1b[31m|" + "🏨" * 15

SESSIONS = (
    session(11, "idle in transaction", state_seconds=48.0, query="update locks set a = 'secret'"),
    session(12, "active", query="select 1", query_seconds=42.0, wait_event_type="Lock", blocked_by=(11,)),
    session(13, "active", application_name=HOSTILE, query="select 'secret'", blocked_by=(12,)),
    session(14, "idle in transaction (aborted)", state_seconds=3.0, query="select 1/0"),
    session(15),
)


def test_absent_is_not_0() -> None:
    page = draw(report(session(2, None), pool=PoolConfig(size=0, max_overflow=-1)), None)
    assert "db_pool_total_connections 1\n" in page
    assert "db_pool_active_connections" not in page
    assert "db_pool_utilization_percent" not in page
    assert "db_pool_max_overflow_configured -1\n" in page


def test_the_last_success_is_read_back_and_outlives_failures() -> None:
    page = draw(report(session(2)), None)
    last = last_success_of(page)
    assert last == NOW.timestamp()
    assert last_success_of(draw_failure(last)) == last
    assert last_success_of(draw_failure(None)) is None
    assert last_success_of("") is None


def test_no_name_and_no_query_is_a_label() -> None:
    assert "{" not in draw(report(*SESSIONS), None)


def test_every_report_is_valid_and_holds_no_literal() -> None:
    where = Target(host="db", port=5432, database="hotel", user="w", server_version="unknown", role="unknown")
    for made in (report(), report(*SESSIONS), refused(where, "too many clients", NOW, question())):
        document = json.loads(to_json(made))
        jsonschema.Draft202012Validator(schemas.schema("connection_pool_report")).validate(document)
        assert "secret" not in str(document)


def test_the_keys_of_the_guide_are_required() -> None:
    required = schemas.schema("connection_pool_report")["$defs"]["Summary"]["required"]
    guide = """total_connections active_connections idle_connections idle_in_transaction long_running_queries
    pool_utilization_percent overflow_in_use pool_size_configured max_overflow_configured pool_capacity
    waiting_connections blocked_connections server_max_connections server_connections_percent"""
    assert set(guide.split()) <= set(required)


def test_the_same_state_gives_the_same_report() -> None:
    assert to_json(report(*SESSIONS)) == to_json(report(*reversed(SESSIONS)))


@pytest.mark.parametrize("width", [80, 140])
def test_the_overview_is_as_it_was(width: int) -> None:
    check(f"overview.{width}.txt", draw_terminal(overview(report(*SESSIONS), "report.json"), width=width, color=False))


def test_the_overview_says_where_the_statements_are_and_only_when_there_are_any() -> None:
    ended = draw_terminal(overview(report(*SESSIONS), "report.json"), width=140, color=False)
    assert "pg_terminate_backend" not in ended
    assert "in the report, and in --format markdown; nothing was run" in ended
    assert "pg_terminate_backend" in draw_markdown(whole(report(*SESSIONS)))
    assert "nothing was run" not in draw_terminal(overview(report(), "report.json"), width=140, color=False)


def test_hostile_names_stay_in_their_cells() -> None:
    page = whole(report(*SESSIONS))
    assert "<script>" not in draw_html(page)
    assert "<script>" not in draw_markdown(page)
    assert "\x1b" not in draw_terminal(page, width=100, color=False)


def live(width: int, height: int, *, total: int = 5) -> str:
    seen = snapshot(*SESSIONS)
    state = LiveState(
        target="db:5432/hotel",
        elapsed=12.4,
        duration=60.0,
        pool=PoolConfig(size=4, max_overflow=2),
        thresholds=ConnectionThresholds(),
        threshold=None,
        probe=probe(12.0, total, active=2, idle=1, idle_in_transaction=2, blocked=2, leaking=(11,)),
        peaks=(1, 2, 5, 6, 3),
        connections=connection_rows(seen.sessions, question(), {}),
        blocking=blocking_trees(seen, TreeContext()),
        cost_percent=0.214,
        lost=None,
    )
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, legacy_windows=False)
    console.print(screen(state, width=width, height=height))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40)])
def test_the_screen_is_as_it_was(width: int, height: int) -> None:
    check(f"screen.{width}.txt", live(width, height))


@pytest.mark.parametrize("height", [6, 9, 12, 24])
def test_the_screen_is_never_higher_than_the_terminal(height: int) -> None:
    assert len(live(80, height).splitlines()) <= height


def test_a_pool_beyond_its_capacity_still_fits_its_bar() -> None:
    assert max(len(line) for line in live(80, 24, total=60).splitlines()) <= 80


def test_peaks_are_drawn_up_to_the_capacity() -> None:
    assert spark((0, 1, 5, 10), 10).plain == " ▁▄█ 10"
    assert spark((), 10).plain == ""
    assert spark((0, 0), None).plain == "   0"


def check(name: str, drawn: str) -> None:
    """Golden text: delete the file and run the test to make it anew, and look at the difference."""
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
        pytest.fail(f"{name} was made anew: look at it and run again")
    assert drawn == path.read_text(encoding="utf-8")
