"""What looking costs: the server's processor time where it can be measured, and a pace that stays within a budget."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from dbvitals.snapshot_activity import ActivityServer

BUDGET = 0.01
"""Of one core of the server."""

WINDOW = 20
"""Looks that the pace is decided by: five seconds of them."""


class ServerMeter:
    """Processor seconds that the server process of our own connection has used.

    Known where it runs on this machine, in a process namespace that we see; elsewhere None.
    """

    def __init__(self, server: ActivityServer) -> None:
        folder = Path("/proc") / str(server.pid)
        self._file = folder / "schedstat"
        self.available = _is_ours(folder, server) and self.seconds() is not None

    def seconds(self) -> float | None:
        """Since the process began; None when it is not known."""
        try:
            return int(self._file.read_text(encoding="ascii").split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            return None


def _is_ours(folder: Path, server: ActivityServer) -> bool:
    """Whether that process is a PostgreSQL's that serves our login: the number may be another machine's."""
    try:
        title = (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return title.startswith("postgres:") and f"{server.user} {server.database} " in title


@dataclass(slots=True)
class Budget:
    """Counts the looks and paces them. Where processor time is not known, the time until the answer stands for it."""

    shortest_period: float
    period: float = field(init=False)
    probes: int = 0
    slowed_down: bool = False
    server_seconds: float | None = None
    _meter: ServerMeter | None = None
    _before: float | None = None
    _recent: "deque[float]" = field(default_factory=lambda: deque(maxlen=WINDOW))

    def __post_init__(self) -> None:
        self.period = self.shortest_period

    def attach(self, meter: ServerMeter) -> None:
        """Measure the connection that is open now."""
        self._meter = meter if meter.available else None
        self._before = self._meter.seconds() if self._meter else None

    def note(self, took_seconds: float) -> None:
        """Take note of a look that took so long to answer; after some of them the pace is set anew."""
        self.probes += 1
        self._recent.append(took_seconds)
        if self.probes % WINDOW == 0:
            self._set_pace()

    def finish(self) -> None:
        """Count what was used since the pace was last set; while the connection is still open."""
        self._measured()

    def _set_pace(self) -> None:
        used = self._measured()
        # Else: the network's share is in the fastest answer as well; what comes on top is the server's.
        each = median(self._recent) - min(self._recent) if used is None else used / WINDOW
        self.period = max(self.shortest_period, each / BUDGET)
        self.slowed_down |= self.period > self.shortest_period

    def _measured(self) -> float | None:
        """Processor seconds since the last time, details and all."""
        now = self._meter.seconds() if self._meter else None
        if now is None or self._before is None:
            return None
        used, self._before = now - self._before, now
        self.server_seconds = (self.server_seconds or 0.0) + used
        return used
