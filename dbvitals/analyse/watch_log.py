"""Keeps what a watch saw: intervals, gaps, and the trees and leaks that came and went between two intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dbvitals.analyse.blocking import TreeContext, blocking_trees
from dbvitals.analyse.connection_report import Blocker, Connection, Gap, HeldBy, Sample, Sighting
from dbvitals.analyse.connections import Question, connection_rows
from dbvitals.analyse.samples import Interval, fold
from dbvitals.analyse.session_text import is_idle_in_transaction
from dbvitals.snapshot_activity import ActivitySnapshot, Back, Detailed, Looked, Lost, Probe, WatchEvent

MOST_SIGHTINGS = 200
"""In a long watch the shortest-lived are forgotten; what lasted is kept."""

Identity = tuple[str, int, str]


@dataclass(slots=True)
class WatchLog:
    """Notes events in their order. `question_of` says what the pool is, by the first snapshot; `threshold`: percent."""

    question_of: Callable[[ActivitySnapshot], Question]
    threshold: float | None
    question: Question = field(init=False)
    samples: list[Sample] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    lost: Lost | None = None
    """Why there is no server right now."""
    everything: ActivitySnapshot | None = None
    """The last look at everybody."""
    latest: ActivitySnapshot | None = None
    """The last details; of those who are not idle, perhaps."""
    probes: list[Probe] = field(default_factory=list)
    """Those of the interval that runs now."""
    _base: datetime | None = None
    _begin: float = 0.0
    _gap_seconds: float = 0.0
    _sightings: dict[int, Sighting] = field(default_factory=dict)
    _open: dict[Identity, int] = field(default_factory=dict)
    """Which of the sightings go on right now."""
    _last_number: int = 0

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """In the order in which they came."""
        return tuple(self._sightings[number] for number in sorted(self._sightings))

    def note(self, event: WatchEvent, held: Mapping[int, HeldBy]) -> tuple[Sighting, ...]:
        """Take one event; gives what is seen for the first time. `held` is who has which session checked out."""
        match event:
            case Looked(probe):
                self.probes.append(probe)
            case Detailed():
                return self._note_details(event, held)
            case Lost():
                self.lost = self.lost or event
                self._open.clear()
            case Back(seconds):
                self._close_gap(seconds)
        return ()

    def finish(self, seconds: float) -> None:
        """The watch is over; what was open is closed."""
        if self.lost is not None:
            lost = self.lost
            self._close_gap(seconds)
            self.lost = lost
        if self.probes:
            self._close_interval(seconds)

    def _note_details(self, event: Detailed, held: Mapping[int, HeldBy]) -> tuple[Sighting, ...]:
        if self._base is None:
            self.question = self.question_of(event.snapshot)
            self._base = event.snapshot.server.taken_at - timedelta(seconds=event.seconds)
        self.latest = event.snapshot
        if event.of_everybody:
            self.everything = event.snapshot
        if event.ends_interval:
            self._close_interval(event.seconds)
        return self._note_sightings(event.seconds, event.snapshot, held)

    def _close_interval(self, seconds: float) -> None:
        interval = Interval(
            started_at=self._at(self._begin), begin=self._begin, end=seconds, gap_seconds=self._gap_seconds
        )
        self.samples.append(fold(interval, self.probes, self.question.pool, self.threshold))
        self.probes = []
        self._begin, self._gap_seconds = seconds, 0.0

    def _close_gap(self, seconds: float) -> None:
        if self.lost is not None:
            length = seconds - self.lost.seconds
            self.gaps.append(Gap(started_at=self._at(self.lost.seconds), seconds=round(length, 3), why=self.lost.why))
            self._gap_seconds += length
            self.lost = None

    def _note_sightings(
        self, seconds: float, snapshot: ActivitySnapshot, held: Mapping[int, HeldBy]
    ) -> tuple[Sighting, ...]:
        context = TreeContext(held_by=held, show_literals=self.question.show_literals)
        seen: dict[Identity, tuple[Blocker | None, Connection | None]] = {
            ("tree", tree.pid, tree.gid or ""): (tree, None) for tree in blocking_trees(snapshot, context)
        }
        leaking = [
            session
            for session in snapshot.sessions
            if session.mine
            and is_idle_in_transaction(session)
            and (session.state_seconds or 0.0) > self.question.thresholds.leak_seconds
        ]
        for row in connection_rows(leaking, self.question, held):
            seen[("leak", row.pid, str(row.state_change))] = (None, row)
        fresh = seen.keys() - self._open.keys()
        self._open = {identity: self._open.get(identity) or self._next_number() for identity in seen}
        for identity, (tree, leak) in seen.items():
            self._keep(self._open[identity], round(seconds, 3), tree, leak)
        self._forget_the_shortest()
        return tuple(self._sightings[self._open[identity]] for identity in seen if identity in fresh)

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _keep(self, number: int, seconds: float, tree: Blocker | None, leak: Connection | None) -> None:
        known = self._sightings.get(number)
        self._sightings[number] = Sighting(
            first_seen=known.first_seen if known else self._at(seconds),
            first_seconds=known.first_seconds if known else seconds,
            last_seconds=seconds,
            tree=tree,
            leak=leak,
        )

    def _forget_the_shortest(self) -> None:
        ended = {
            n: s.last_seconds - s.first_seconds for n, s in self._sightings.items() if n not in self._open.values()
        }
        for number in sorted(ended, key=lambda n: (ended[n], n))[: max(0, len(self._sightings) - MOST_SIGHTINGS)]:
            del self._sightings[number]

    def _at(self, seconds: float) -> datetime:
        assert self._base is not None  # noqa: S101 -- the first event is of details
        return self._base + timedelta(seconds=seconds)
