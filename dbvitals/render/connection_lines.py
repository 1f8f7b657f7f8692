"""A watch in lines, one an interval and one whenever something appears: for pipes and logs."""

from dbvitals.analyse.connection_report import Range, Sample, Sighting
from dbvitals.render.connection_sections import seconds
from dbvitals.render.text import UNKNOWN, visible


def sample_line(sample: Sample) -> str:
    """`10:00:10  open 22.0 (peak 25)  active 3.1 (peak 12) …`."""
    parts = [
        f"open {_span(sample.total_connections)}",
        f"active {_span(sample.active_connections)}",
        f"in transaction {_span(sample.idle_in_transaction)}",
        f"blocked {_span(sample.blocked_connections)}",
    ]
    if sample.pool_utilization_percent is not None:
        parts.append(f"utilisation {_span(sample.pool_utilization_percent)} %")
    if sample.gap_seconds:
        parts.append(f"no server for {seconds(sample.gap_seconds)}")
    return "  ".join([f"{sample.started_at:%H:%M:%S}", *parts])


def _span(found: Range | None) -> str:
    return UNKNOWN if found is None else f"{found.mean:.1f} (peak {found.peak:.0f})"


def sighting_line(sighting: Sighting) -> str:
    """One line about a tree or a leak that has just appeared."""
    when = f"{sighting.first_seen:%H:%M:%S}"
    if sighting.tree is not None:
        tree = sighting.tree
        name = f"prepared transaction {tree.gid}" if tree.gid else f"pid {tree.pid}"
        site = f", checked out at {tree.held_by.site}" if tree.held_by and tree.held_by.site else ""
        holds = f", holds {', '.join(tree.holds)}" if tree.holds else ""
        return visible(f"{when}  {name} ({tree.state or tree.kind}) blocks {tree.victims}{holds}{site}")
    leak = sighting.leak
    if leak is None:
        return when
    site = f", checked out at {leak.held_by.site}" if leak.held_by and leak.held_by.site else ""
    return visible(f"{when}  pid {leak.pid} is {leak.state} for {seconds(leak.state_seconds)}{site}")
