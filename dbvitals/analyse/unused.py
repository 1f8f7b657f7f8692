"""Indexes that nobody has scanned, and why most of them must stay all the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.foreign_keys import supporting
from dbvitals.analyse.index_semantics import is_exclusion, usable
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.snapshot import IndexInfo, StatsWindow

KEEPING_REASONS = (
    "primary_key",
    "unique_constraint",
    "exclusion_constraint",
    "unique_index",
    "replica_identity",
    "foreign_key_support",
    "clustered",
    "expression_statistics",
    "partition_of_used_parent",
    "too_young",
    "invalid",
    "replica_not_seen",
    "not_read",
    "serves_duplicate",
)
"""Every value of `kept_because`, in the order in which they are given."""

_ENOUGH_WRITES = 100
"""Fewer writes than this say nothing about an index's age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScans:
    """Scans of one index on one node of the cluster."""

    node: str
    scans: int
    window: StatsWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """An index without a scan on any node seen. It may go when `kept_because` is empty.

    `observed` is the shortest window of all nodes, None when one of them is unknown.
    """

    index: IndexInfo
    nodes: tuple[NodeScans, ...]
    observed: timedelta | None
    kept_because: tuple[str, ...]

    @property
    def since(self) -> datetime | None:
        """When the shortest window began."""
        known = [node.window.since for node in self.nodes]
        return None if None in known else max(at for at in known if at is not None)


def find_unused(catalog: Catalog, thresholds: IndexThresholds) -> tuple[Unused, ...]:
    """Every index without a scan; largest first, then by name."""
    foreign = _foreign_key_support(catalog)
    found = []
    for index in catalog.indexes:
        if index.scans:
            continue
        nodes = _nodes(catalog, index)
        if not any(node.scans for node in nodes):
            observed = _observed(catalog, nodes)
            reasons = _reasons(catalog, index, observed, thresholds, foreign)
            found.append(Unused(index=index, nodes=nodes, observed=observed, kept_because=reasons))
    return tuple(sorted(found, key=lambda u: (-u.index.size_bytes, u.index.schema, u.index.name)))


def _nodes(catalog: Catalog, index: IndexInfo) -> tuple[NodeScans, ...]:
    server = catalog.snapshot.server
    tree = _oids_of_tree(catalog, index)
    return (
        NodeScans(node=f"{server.host}:{server.port}", scans=index.scans, window=server.window),
        *(
            NodeScans(node=usage.node, scans=sum(usage.scans.get(oid, 0) for oid in tree), window=usage.window)
            for usage in catalog.snapshot.replicas
        ),
    )


def _oids_of_tree(catalog: Catalog, index: IndexInfo) -> list[int]:
    oids = [index.oid]
    for oid in oids:
        oids.extend(catalog.attached_to.get(oid, ()))
    return oids


def _observed(catalog: Catalog, nodes: tuple[NodeScans, ...]) -> timedelta | None:
    now = catalog.snapshot.server.taken_at
    if any(node.window.since is None or not node.window.counting for node in nodes):
        return None
    return min(now - node.window.since for node in nodes if node.window.since is not None)


def _foreign_key_support(catalog: Catalog) -> frozenset[int]:
    keys = (key for keys in catalog.foreign_keys_of.values() for key in keys if key.enforced)
    return frozenset(index.oid for key in keys for index in supporting(catalog, key))


def _reasons(
    catalog: Catalog,
    index: IndexInfo,
    observed: timedelta | None,
    thresholds: IndexThresholds,
    foreign: frozenset[int],
) -> tuple[str, ...]:
    backs = index.constraint.type if index.constraint else None
    reasons = {
        "primary_key": backs == "primary",
        "unique_constraint": backs == "unique",
        "exclusion_constraint": backs == "exclusion" or is_exclusion(index),
        "unique_index": index.unique and backs is None,
        "replica_identity": index.replica_identity,
        "foreign_key_support": not foreign.isdisjoint(_oids_of_tree(catalog, index)),
        "clustered": index.clustered,
        "expression_statistics": index.is_expression,
        "partition_of_used_parent": index.parent_oid is not None,
        "too_young": _too_young(catalog, index, observed, thresholds),
        "invalid": not (index.valid and index.ready and index.live),
        "replica_not_seen": _node_missing(catalog),
        "not_read": not index.texts_known,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _too_young(catalog: Catalog, index: IndexInfo, observed: timedelta | None, thresholds: IndexThresholds) -> bool:
    needed = timedelta(days=thresholds.min_observed_days)
    if observed is None or observed < needed:
        return True
    if index.created_at is not None and catalog.snapshot.server.taken_at - index.created_at < needed:
        return True
    return made_during_window(catalog, index)


def made_during_window(catalog: Catalog, index: IndexInfo) -> bool:
    """Whether the counters prove that the index is younger than they are.

    Every insert and every non-HOT update reads at least one block of every B-tree that is not partial. An index that
    was touched less often than its table was written was not there for all of these writes.
    """
    writes = catalog.table_of(index).index_writes
    if index.method != "btree" or index.predicate is not None or not usable(index) or writes < _ENOUGH_WRITES:
        return False
    return index.blocks_touched is not None and index.blocks_touched < writes


def _node_missing(catalog: Catalog) -> bool:
    """Whether a node of the cluster exists whose scans were not counted, or may exist without our seeing it."""
    server = catalog.snapshot.server
    seen = len(catalog.snapshot.replicas)
    if server.role == "replica":
        return not any(usage.role == "primary" for usage in catalog.snapshot.replicas)
    return server.replicas_known is None or seen < server.replicas_known
