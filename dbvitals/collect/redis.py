"""Reads the keyspace of a Redis, whatever it is made of: counters first, then every key, then the counters again."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Literal

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keyspace_harvest import Harvest, OwnReads
from dbvitals.collect.keyspace_progress import Meter
from dbvitals.collect.redis_giants import measure_giants
from dbvitals.collect.redis_info import counters, has_volatile_items, node_info, read_config, read_info
from dbvitals.collect.redis_pace import DEFAULT, Pacer, Tempo
from dbvitals.collect.redis_pass import ScriptPass, ScriptsDeniedError
from dbvitals.collect.redis_pipeline import PipelinePass
from dbvitals.collect.redis_topology import Group, group_of, shape_of
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
        before = self._counters(taken_at)
        began = time.monotonic()
        pacer = Pacer(self.request.tempo, max_seconds=self.request.max_seconds)
        readers = {wire.name for wire in self.group.readers}
        self.expected = self._keys_of([node for node in nodes if node.name in readers], target.db)
        ended = self._pass(target, nodes, pacer)
        seconds = time.monotonic() - began
        after, keys_after, changed = self._afterwards(target.db, began, ended)
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
            ),
            patterns=self.harvest.tally.freeze(),
            tenants=self.harvest.tenant_shares(),
            before=before,
            after=after,
            window_seconds=self.request.window,
            sample=tuple(self.harvest.sample),
            skipped=tuple(self.skipped),
        )

    def _node(self, wire: Wire) -> NodeInfo:
        config, missing = read_config(wire)
        self.skipped += missing
        return node_info(wire, read_info(wire), config)

    def _counters(self, at: datetime) -> tuple[Counters, ...]:
        found = []
        for wire in self.group.primaries:
            own = self.harvest.own.get(wire.name, OwnReads())
            found.append(counters(wire, read_info(wire), at, own_hits=own.hits, own_misses=own.misses))
        return tuple(found)

    def _keys_of(self, nodes: list[NodeInfo], db: int) -> int:
        """Keys in the databases that are meant, by INFO."""
        chosen = [base for node in nodes for base in node.databases if self.request.all_databases or base.index == db]
        return sum(base.keys for base in chosen)

    def _pass(self, target: RedisTarget, nodes: tuple[NodeInfo, ...], pacer: Pacer) -> Ended:
        meter = Meter(self.tell, (self.request.sample or 0) if self._sampling else self.expected, pacer)
        by_name = {node.name: node for node in nodes}
        try:
            for wire in self.group.readers:
                if not self._walk_node(wire, by_name[wire.name], target.db, pacer, meter):
                    return "max-seconds"
            measure_giants(self.group.readers, self.harvest, pacer)
        except KeyboardInterrupt:
            self.skipped.append(INTERRUPTED)
            return "interrupted"
        except (LostError, RefusedError) as error:
            if not self.harvest.seen:
                raise ServerError(
                    f"the keys of {target.name} cannot be read: {error}", mend="see --print-acl for the rights it takes"
                ) from error
            self.skipped.append(Skipped(part="rest of the keyspace", why=str(error), mend="run again"))
            return "lost"
        return "complete"

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
            return PipelinePass(wire, self.harvest, pacer).sample(db, share, random, meter.add, by_name=by_name)
        if self.method == "script":
            try:
                return ScriptPass(wire, self.harvest, pacer, ask_fields=has_volatile_items(node)).walk(db, meter.add)
            except ScriptsDeniedError as error:
                self._without_scripts(wire, error)
        return PipelinePass(wire, self.harvest, pacer).walk(db, meter.add)

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
                mend="allow +eval_ro and +evalsha_ro: the figures are the same, the pass takes a third of the time",
            )
        )

    def _afterwards(self, db: int, began: float, ended: Ended) -> tuple[tuple[Counters, ...], int, bool]:
        """Counters at the end of the window, keys now, and whether the topology is another one."""
        try:
            after = self._window(began) if ended != "lost" else ()
            now = [node_info(wire, read_info(wire), {}) for wire in self.group.readers]
            return after, self._keys_of(now, db), shape_of(self.group) != self.group.shape
        except KeyboardInterrupt:
            self.skipped.append(INTERRUPTED)
        except (ServerError, LostError) as error:
            self.skipped.append(Skipped(part="counters at the end", why=str(error), mend="run again"))
        return (), self.expected, False

    def _window(self, began: float) -> tuple[Counters, ...]:
        left = (self.request.window or 0) - (time.monotonic() - began)
        if left > 0:
            self.tell(f"counting hits and misses for another {left:.0f} s")
            time.sleep(left)
        return self._counters(datetime.now(UTC))

    def _note_errors(self) -> None:
        for command, text in sorted(self.harvest.errors.items()):
            part, mend = _MENDS[command]
            self.skipped.append(Skipped(part=part, why=f"{command} is denied ({text})", mend=mend))
