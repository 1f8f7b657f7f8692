"""Reads the keyspace of a Redis, whatever it is made of: counters first, then every key, then the counters again."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Literal

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keyspace_harvest import Harvest, OwnReads
from dbvitals.collect.keyspace_progress import Meter
from dbvitals.collect.redis_end import drop_answers, failed_over, last_infos, mend_of
from dbvitals.collect.redis_giants import measure_giants
from dbvitals.collect.redis_info import Info, counters, has_volatile_items, node_info, read_config, read_info
from dbvitals.collect.redis_pace import DEFAULT, Pacer, Tempo
from dbvitals.collect.redis_pass import ScriptPass, ScriptsDeniedError
from dbvitals.collect.redis_pipeline import PipelinePass
from dbvitals.collect.redis_slots import note_of
from dbvitals.collect.redis_topology import Group, change_of, group_of
from dbvitals.collect.redis_wire import LostError, RefusedError, Wire, server_errors
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import KEYSPACE_VERSION, Counters, Coverage, KeyspaceSnapshot, NodeInfo

Ended = Literal["complete", "max-seconds", "interrupted", "lost"]

INTERRUPTED = Skipped(part="interrupted", why="stopped by Ctrl-C", mend="run it to the end")

_MENDS = {
    "PTTL": ("times to live", "allow +pttl"),
    "MEMORY USAGE": ("sizes of keys", "allow +memory|usage"),
    "TYPE": ("types of keys", "allow +type"),
    "OBJECT ENCODING": ("encodings of keys", "allow +object|encoding"),
    "HRANDFIELD": ("fields that expire", "allow +hrandfield"),
    "HPTTL": ("fields that expire", "allow +hpttl"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyspaceRequest:
    """What to read. `sample` is a number of random keys instead of all; `window` the least seconds between counters."""

    all_databases: bool = False
    sample: int | None = None
    tempo: Tempo = DEFAULT
    max_seconds: float | None = None
    window: float | None = None
    show_keys: bool = False
    master: str | None = None
    seed: int = 0


def collect_keyspace(
    target: RedisTarget, folding: Folding, request: KeyspaceRequest, timeouts: Timeouts, tell: Callable[[str], None]
) -> KeyspaceSnapshot:
    """Read it. Ctrl-C, a deadline, or a server that goes away end the pass: what is there until then is given.

    Raises ServerError when nothing could be read, UsageError when it is not clear what is meant.
    """

    def connect(place: RedisTarget) -> Wire:
        return Wire(place, connect_timeout=timeouts.connect, answer_timeout=timeouts.statement)

    tell(f"connecting to {target}")
    with server_errors(target.name), group_of(target, connect, master=request.master) as group:
        return _Collection(group, folding, request, tell).run(target)


@dataclass(slots=True)
class _Collection:
    group: Group
    folding: Folding
    request: KeyspaceRequest
    tell: Callable[[str], None]
    harvest: Harvest = field(init=False)
    skipped: list[Skipped] = field(default_factory=list)
    method: Literal["script", "pipeline"] = "script"
    expected: int = 0
    lost: dict[str, LostError] = field(default_factory=dict)
    """Nodes that went away, by name: nothing more can be asked there."""

    def __post_init__(self) -> None:
        self.harvest = Harvest(self.folding, self.request.show_keys)
        self.skipped += self.group.skipped

    @property
    def _sampling(self) -> bool:
        """A sample of as many keys as there are would look at some twice, and at some never: then all are read."""
        return self.request.sample is not None and self.request.sample < self.expected

    def run(self, target: RedisTarget) -> KeyspaceSnapshot:
        nodes = tuple(self._node(wire) for wire in self.group.wires)
        taken_at = datetime.now(UTC)
        before = self._counters({wire.name: read_info(wire) for wire in self.group.primaries}, taken_at)
        began = time.monotonic()
        pacer = Pacer(self.request.tempo, max_seconds=self.request.max_seconds)
        readers = {wire.name for wire in self.group.readers}
        self.expected = self._keys_of([node for node in nodes if node.name in readers], target.db)
        ended = self._pass(target, nodes, pacer)
        seconds = time.monotonic() - began
        after, keys_after, changed = self._afterwards(nodes, target.db, began, ended)
        self._note_errors()
        return KeyspaceSnapshot(
            snapshot_version=KEYSPACE_VERSION,
            source=target.name,
            database="all" if self.request.all_databases else str(target.db),
            user=target.user or "default",
            taken_at=taken_at,
            nodes=nodes,
            coverage=Coverage(
                mode="sample" if self._sampling else "full",
                method=self.method,
                ended=ended,
                keys_seen=self.harvest.seen,
                keys_before=self.expected,
                keys_after=keys_after,
                topology_changed=changed,
                seconds=seconds,
                seconds_on_server=self.harvest.server_us / 1e6 if self.method == "script" else None,
                slowed_down=pacer.slowed_down,
                nodes_missing=self.group.nodes_missing,
            ),
            patterns=self.harvest.tally.freeze(),
            tenants=self.harvest.tenant_shares(),
            tenants_seen=len(self.harvest.tenants),
            before=before,
            after=after,
            window_seconds=self.request.window,
            sample=tuple(self.harvest.sample),
            names_shown=self.request.show_keys,
            skipped=tuple(self.skipped),
        )

    def _node(self, wire: Wire) -> NodeInfo:
        config, missing = read_config(wire)
        self.skipped += missing
        return node_info(wire, read_info(wire), config)

    def _counters(self, infos: Mapping[str, Info], at: datetime) -> tuple[Counters, ...]:
        """The counters of those primaries that answered."""
        found = []
        for wire in [wire for wire in self.group.primaries if wire.name in infos]:
            own = self.harvest.own.get(wire.name, OwnReads())
            found.append(counters(wire, infos[wire.name], at, own_hits=own.hits, own_misses=own.misses))
        return tuple(found)

    def _keys_of(self, nodes: list[NodeInfo], db: int) -> int:
        """Keys in the databases that are meant, by INFO."""
        chosen = [base for node in nodes for base in node.databases if self.request.all_databases or base.index == db]
        return sum(base.keys for base in chosen)

    def _pass(self, target: RedisTarget, nodes: tuple[NodeInfo, ...], pacer: Pacer) -> Ended:
        meter = Meter(self.tell, (self.request.sample or 0) if self._sampling else self.expected, pacer)
        by_name = {node.name: node for node in nodes}
        ended: Ended = "complete"
        try:
            for wire in self.group.readers:
                try:
                    if not self._walk_node(wire, by_name[wire.name], target.db, pacer, meter):
                        return "max-seconds"
                except (LostError, RefusedError) as error:
                    self._give_up(wire, error)
                    ended = "lost"
            if ended == "lost" and not self.harvest.seen:
                raise self._nothing_seen(target)
            self._measure_giants(pacer)
        except KeyboardInterrupt:
            self.skipped.append(INTERRUPTED)
            return "interrupted"
        return ended

    def _give_up(self, wire: Wire, error: LostError | RefusedError) -> None:
        """Leave out what is left of a node; the others are read nevertheless."""
        if isinstance(error, LostError):
            self.lost[wire.name] = error
        else:
            drop_answers([wire], self.lost)
        whole = len(self.group.readers) == 1
        part = "rest of the keyspace" if whole else f"rest of the keys of node {wire.name}"
        self.skipped.append(Skipped(part=part, why=str(error), mend=mend_of(error)))

    def _nothing_seen(self, target: RedisTarget) -> ServerError:
        first = next(one for one in self.skipped if one.part.startswith("rest of the key"))
        return ServerError(f"the keys of {target.name} cannot be read: {first.why}", mend=first.mend)

    def _measure_giants(self, pacer: Pacer) -> None:
        """The pass knows them already: of a node that is gone they stay as they are."""
        self.harvest.giants = [giant for giant in self.harvest.giants if giant.node not in self.lost]
        try:
            measure_giants(self.group.readers, self.harvest, pacer)
        except (LostError, RefusedError) as error:
            self.skipped.append(Skipped(part="closer sizes of the largest keys", why=str(error), mend=mend_of(error)))

    def _walk_node(self, wire: Wire, node: NodeInfo, db: int, pacer: Pacer, meter: Meter) -> bool:
        pacer.learn(wire)
        filled = [base.index for base in node.databases if base.keys]
        for index in filled if self.request.all_databases else [db]:
            if self.request.all_databases:
                wire.call("SELECT", index)
            if not self._walk(wire, node, index, pacer, meter):
                return False
        return True

    def _walk(self, wire: Wire, node: NodeInfo, db: int, pacer: Pacer, meter: Meter) -> bool:
        if self._sampling:
            self.method = "pipeline"
            share = self._share_of(node, db)
            random, by_name = Random(self.request.seed), self.group.mode == "cluster"  # noqa: S311 - chooses, hides nothing
            return self._pipeline(wire, node, pacer).sample(db, share, random, meter.add, by_name=by_name)
        if self.method == "script":
            try:
                return ScriptPass(wire, self.harvest, pacer, ask_fields=has_volatile_items(node)).walk(db, meter.add)
            except ScriptsDeniedError as error:
                self._without_scripts(wire, error)
        return self._pipeline(wire, node, pacer).walk(db, meter.add)

    def _pipeline(self, wire: Wire, node: NodeInfo, pacer: Pacer) -> PipelinePass:
        return PipelinePass(wire, self.harvest, pacer, ask_fields=has_volatile_items(node))

    def _share_of(self, node: NodeInfo, db: int) -> int:
        """Keys to sample in one database of one node: as many as it has of all."""
        here = sum(base.keys for base in node.databases if base.index == db)
        return min(here, math.ceil((self.request.sample or 0) * here / max(1, self.expected)))

    def _without_scripts(self, wire: Wire, error: ScriptsDeniedError) -> None:
        self.method = "pipeline"
        self.skipped.append(
            Skipped(
                part="scripts",
                why=f"{wire.name} runs none for this login ({error}), so every key was asked for by itself",
                mend="allow +eval_ro and +evalsha_ro: the figures are the same, and the server keeps slices short",
            )
        )

    def _afterwards(
        self, nodes: tuple[NodeInfo, ...], db: int, began: float, ended: Ended
    ) -> tuple[tuple[Counters, ...], int, bool]:
        """Counters at the end of the window, keys now, and whether the topology is another one."""
        try:
            if ended == "interrupted":
                drop_answers(self.group.wires, self.lost)
            elif ended != "lost":
                self._wait_for_window(began)
            infos, missing = last_infos(self.group.wires, self.lost)
            self.skipped += [*missing, *failed_over(nodes, infos, self.group.staying)]
            after = self._counters(infos, datetime.now(UTC))
            return after, self._keys_now(nodes, infos, db), self._has_changed(nodes, infos)
        except KeyboardInterrupt:
            self.skipped.append(INTERRUPTED)
        return (), self.expected, False

    def _wait_for_window(self, began: float) -> None:
        left = (self.request.window or 0) - (time.monotonic() - began)
        if left > 0:
            self.tell(f"counting hits and misses for another {left:.0f} s")
            time.sleep(left)

    def _keys_now(self, nodes: tuple[NodeInfo, ...], infos: Mapping[str, Info], db: int) -> int:
        """Keys at the end; of a node that is gone, those that it had."""
        known = {node.name: node for node in nodes}
        now = [
            node_info(wire, infos[wire.name], {}) if wire.name in infos else known[wire.name]
            for wire in self.group.readers
        ]
        return self._keys_of(now, db)

    def _has_changed(self, nodes: tuple[NodeInfo, ...], infos: Mapping[str, Info]) -> bool:
        try:
            change = change_of(self.group, infos)
        except (ServerError, LostError) as error:
            self.skipped.append(Skipped(part="topology at the end", why=str(error), mend="run again"))
            return False
        if note := note_of(change, oldest=min(node.version for node in nodes)):
            self.skipped.append(note)
        return change.happened

    def _note_errors(self) -> None:
        for command, text in sorted(self.harvest.errors.items()):
            part, mend = _MENDS[command]
            self.skipped.append(Skipped(part=part, why=f"{command} is denied ({text})", mend=mend))
