"""`dbvitals connections --watch`: the watch's screen on a terminal, a line an interval elsewhere, and its end."""

import contextlib
import math
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from dbvitals.analyse.connection_report import HeldBy, Sample, Sighting, Watched
from dbvitals.analyse.connections import Watching
from dbvitals.analyse.watch_log import WatchLog
from dbvitals.cli.console import say
from dbvitals.collect.watch import Watch
from dbvitals.output import show
from dbvitals.snapshot_activity import ActivitySnapshot, Back, Detailed, Looked, Lost, WatchEvent

if TYPE_CHECKING:
    from rich.live import Live

SCREEN_PERIOD = 1.0
"""Seconds between two pictures of the screen: drawing one costs more than a look."""

Held = Callable[[ActivitySnapshot], Mapping[int, HeldBy]]
"""Asks the application who has which session of these checked out."""


@dataclass(slots=True)
class Watcher:
    """Runs one watch and shows it. `held` is asked when details are read."""

    watch: Watch
    log: WatchLog
    target: str
    held: Held
    quiet: bool
    on_interval: Callable[[Watching], None]
    on_lost: Callable[[], None]
    """Told at once, for figures that nobody renews look healthy."""
    interrupted: bool = False
    _peaks: "deque[int]" = field(default_factory=lambda: deque(maxlen=200))
    _second: int = -1
    _alerting: bool = False
    _stale: bool = False
    """Whether what `on_interval` was given last is of before an outage."""
    _drawn: float = -math.inf
    _cpu: float = 0.0
    _held: Mapping[int, HeldBy] = field(default_factory=dict)

    def run(self) -> Watching:
        """Watch to the end, or until Ctrl-C or SIGTERM. Raises ServerError when there is no server to begin with."""
        self._cpu = time.process_time()
        with self._stoppable(), self._screen() as live:
            for event in self.watch.events():
                self._take(event, live)
        self.log.finish(self.watch.seconds)
        return self._watching()

    def _watching(self) -> Watching:
        return Watching(
            samples=tuple(self.log.samples),
            gaps=tuple(self.log.gaps),
            sightings=self.log.sightings,
            watched=self._watched(self.watch.seconds, time.process_time() - self._cpu),
        )

    def _take(self, event: WatchEvent, live: "Live | None") -> None:
        intervals = len(self.log.samples)
        if isinstance(event, Detailed):
            self._held = self.held(event.snapshot)
        fresh = self.log.note(event, self._held)
        match event:
            case Looked(probe):
                self._note_peak(int(probe.seconds), probe.total)
                if live is None:
                    self._tell_crossing(probe.total)
            case Lost(_, why) if self.log.lost is event:
                self._stale = True
                self.on_lost()
                if live is None:
                    say(f"no server: {why}")
            case Back():
                if live is None:
                    say("the server is back")
        if live is None and not self.quiet:
            self._tell(fresh, self.log.samples[intervals:])
        if len(self.log.samples) > intervals or (self._stale and isinstance(event, Detailed)):
            self._stale = False
            self.on_interval(self._watching())
        if live is not None and (fresh or time.monotonic() - self._drawn >= SCREEN_PERIOD):
            self._draw(live)

    def _note_peak(self, second: int, total: int) -> None:
        if second > self._second:
            self._peaks.append(total)
            self._second = second
        else:
            self._peaks[-1] = max(self._peaks[-1], total)

    def _tell_crossing(self, total: int) -> None:
        """Say when utilisation crosses the threshold, and when it is below again."""
        percent = self.log.question.pool.percent_of(total)
        if self.log.threshold is None or percent is None:
            return
        above = percent > self.log.threshold
        if above != self._alerting:
            self._alerting = above
            word = "is above" if above else "is no longer above"
            say(f"pool utilisation {percent:g} % {word} the threshold of {self.log.threshold:g} %")

    def _tell(self, fresh: tuple[Sighting, ...], samples: list[Sample]) -> None:
        from dbvitals.render.connection_lines import sample_line, sighting_line

        for sighting in fresh:
            show(sighting_line(sighting) + "\n")
        for sample in samples:
            show(sample_line(sample) + "\n")

    @contextlib.contextmanager
    def _screen(self) -> "Iterator[Live | None]":
        """A screen of its own on a terminal; the report follows below what was there before."""
        if self.quiet or not sys.stdout.isatty():
            yield None
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(highlight=False, markup=False, emoji=False)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            yield live

    def _draw(self, live: "Live") -> None:
        from dbvitals.analyse.blocking import TreeContext, blocking_trees
        from dbvitals.analyse.connections import connection_rows
        from dbvitals.render.connection_live import LiveState, screen

        self._drawn = time.monotonic()
        question, latest = self.log.question, self.log.latest
        probe = self.log.probes[-1] if self.log.probes else None
        context = TreeContext(held_by=self._held, show_literals=question.show_literals)
        duration = self.watch.plan.duration
        state = LiveState(
            target=self.target,
            elapsed=self.watch.seconds,
            duration=None if math.isinf(duration) else duration,
            pool=question.pool,
            thresholds=question.thresholds,
            threshold=self.log.threshold,
            probe=probe,
            peaks=tuple(self._peaks),
            connections=connection_rows((s for s in latest.sessions if s.mine), question, self._held) if latest else (),
            # Details are older than the counts: a tree of which nobody waits any more has gone.
            blocking=blocking_trees(latest, context) if latest and probe and probe.lock_waiters else (),
            cost_percent=self._server_percent(self.watch.seconds),
            lost=self.log.lost.why if self.log.lost else None,
        )
        size = live.console.size
        live.update(screen(state, width=size.width, height=size.height), refresh=True)

    def _server_percent(self, elapsed: float) -> float | None:
        used = self.watch.budget.server_seconds
        return None if used is None or elapsed <= 0 else round(used / elapsed * 100, 3)

    def _watched(self, elapsed: float, cpu: float) -> Watched:
        budget = self.watch.budget
        return Watched(
            seconds=round(elapsed, 3),
            probes=budget.probes,
            probes_per_second=round(budget.probes / elapsed, 2),
            server_core_percent=self._server_percent(elapsed),
            client_core_percent=round(cpu / elapsed * 100, 3),
            slowed_down=budget.slowed_down,
        )

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM ends the watch in good order; a second one ends it at once."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(number) for number in numbers]

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            self.watch.stop.set()
            for each in numbers:
                signal.signal(each, signal.default_int_handler)

        for number in numbers:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
