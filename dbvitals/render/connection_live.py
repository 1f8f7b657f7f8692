"""The screen of a watch: how full, how busy, who stands out, who waits for whom; read at a glance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dbvitals.analyse.connection_report import Blocker, Connection
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.render.connection_sections import seconds, tree_lines
from dbvitals.render.text import UNKNOWN, count, visible
from dbvitals.snapshot_activity import Probe

_BARS = " ▁▂▃▄▅▆▇█"
_WORST, _BAD, _FINE, _DIM = "bold white on red", "yellow", "green", "dim"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What the screen shows. `peaks` are the highest counts of the last seconds, oldest first."""

    target: str
    elapsed: float
    duration: float | None
    pool: PoolConfig
    thresholds: ConnectionThresholds
    threshold: float | None
    probe: Probe | None
    peaks: tuple[int, ...]
    connections: tuple[Connection, ...]
    blocking: tuple[Blocker, ...]
    cost_percent: float | None
    lost: str | None


def screen(state: LiveState, *, width: int, height: int) -> RenderableType:
    """Lay out the screen; what does not fit into `height` lines is left out from the bottom, and counted."""
    lines = list(_head(state, width))
    blocking, worst = list(_blocking(state)), list(_worst(state))
    room = height - len(lines) - 1
    body: list[RenderableType] = []
    for title, rows in (("Who waits for whom", blocking), ("Worst sessions", worst)):
        if rows and room >= 3:
            shown = rows[: room - 2]
            left = len(rows) - len(shown)
            body += [Text(), Text(title + (f" (… and {left} more)" if left else ""), style="bold"), _grid(shown)]
            room -= len(shown) + 2
    return Group(*lines, *body)


def _head(state: LiveState, width: int) -> Iterator[Text]:
    until = "until stopped" if state.duration is None else f"of {state.duration:.0f} s"
    cost = "" if state.cost_percent is None else f", own cost {state.cost_percent:.2f} % of a core"
    yield _line(f"{state.target}   {state.elapsed:.0f} s {until}{cost}", width, _DIM)
    if state.lost:
        yield _line(f"NO SERVER: {state.lost}", width, _WORST)
        return
    if state.probe is None:
        yield _line("looking", width, _DIM)
        return
    yield _utilization(state, state.probe, width)
    yield _states(state.probe)
    yield Text.assemble(("peaks  ", _DIM), spark(state.peaks[-(width - 12) :], state.pool.capacity))


def _line(text: str, width: int, style: str) -> Text:
    line = Text(visible(text), style=style, no_wrap=True, overflow="ellipsis")
    line.truncate(width)
    return line


def _utilization(state: LiveState, probe: Probe, width: int) -> Text:
    capacity = state.pool.capacity
    if capacity is None:
        return Text(f"pool   {probe.total} connections, without limit")
    percent = state.pool.percent_of(probe.total) or 0.0
    busy = None if probe.idle is None else probe.total - probe.idle
    words = f" {percent:.0f} %  {probe.total} of {capacity} open, {count(busy)} busy"
    cells = max(10, width - len(words) - 9)
    return Text.assemble(
        ("pool   ", _DIM),
        _bar(cells, busy or 0, probe.total, capacity, _style(state, percent)),
        (words, _style(state, percent)),
    )


def _style(state: LiveState, percent: float) -> str:
    critical = state.thresholds.utilization_critical_percent if state.threshold is None else state.threshold
    if percent > critical:
        return _WORST
    return _BAD if percent > state.thresholds.utilization_medium_percent else _FINE


def _bar(cells: int, busy: int, total: int, capacity: int, style: str) -> Text:
    """Busy connections in full, idle ones in half, the rest empty."""
    full = min(cells, round(cells * busy / capacity))
    half = min(cells, round(cells * total / capacity)) - full
    return Text.assemble(("█" * full, style), ("▒" * half, style), ("░" * (cells - full - half), _DIM))


def _states(probe: Probe) -> Text:
    figures = (
        ("active", probe.active, False),
        ("idle", probe.idle, False),
        ("in transaction", probe.idle_in_transaction, bool(probe.leaking)),
        ("long", probe.long_running, bool(probe.long_running)),
        ("blocked", probe.blocked, bool(probe.blocked)),
    )
    parts: list[Text] = [Text("states", style=_DIM)]
    parts += [Text(f"{UNKNOWN if n is None else n} {name}", style=_BAD if bad else "") for name, n, bad in figures]
    return Text("  ").join(parts)


def spark(peaks: Sequence[int], capacity: int | None) -> Text:
    """One bar a second, as high as its peak; the scale ends at the capacity, or at the highest peak without one."""
    top = max(capacity or 0, *peaks, 1) if peaks else 1
    # Ceiling, for a peak that is there at all should be seen.
    bars = "".join(_BARS[-(-peak * (len(_BARS) - 1) // top)] for peak in peaks)
    return Text(f"{bars} {max(peaks)}" if peaks else "")


def _blocking(state: LiveState) -> Iterator[tuple[Text, ...]]:
    for branch, node in tree_lines(state.blocking):
        name = node.gid or str(node.pid or "prepared")
        what = node.waits_for or ("holds " + ", ".join(node.holds) if node.holds else "")
        waited = "" if node.waited_seconds is None else seconds(node.waited_seconds)
        site = f" at {node.held_by.site}" if node.held_by and node.held_by.site else ""
        style = "" if branch else "bold"
        yield _row(style, f"{branch}{name}", node.state or node.kind, waited, f"{what}{site}", node.query or "")


def _worst(state: LiveState) -> Iterator[tuple[Text, ...]]:
    """Whoever is not idle: silent transactions first, as the report has them."""
    for connection in state.connections:
        if connection.state != "idle":
            held = connection.held_by
            site = f" at {held.site}" if held and held.site else ""
            yield _row(
                _BAD if (connection.state_seconds or 0.0) > state.thresholds.leak_seconds else "",
                str(connection.pid),
                connection.activity,
                seconds(connection.state_seconds),
                f"{connection.application_name}{site}",
                connection.query or "",
            )


def _row(style: str, *cells: str) -> tuple[Text, ...]:
    return tuple(Text(visible(cell), style=style, no_wrap=True, overflow="ellipsis") for cell in cells)


def _grid(rows: Sequence[tuple[Text, ...]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for ratio, justify in ((None, "left"), (2, "left"), (None, "right"), (3, "left"), (4, "left")):
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        grid.add_row(*row)
    return grid
