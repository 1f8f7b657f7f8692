"""Indexes that queries cannot use: broken, left behind, or just being built."""

from dataclasses import dataclass
from typing import Literal

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.sql_text import create_index, free_name, index_body, qualified, rebuild
from dbvitals.model import Action
from dbvitals.snapshot import IndexBuild, IndexInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """An unusable index: why, and what to do. `action` is None while it is being built."""

    index: IndexInfo
    state: Literal["building", "leftover", "incomplete", "being dropped", "broken"]
    reason: str
    action: Action | None


def find_invalid(catalog: Catalog) -> tuple[Invalid, ...]:
    """Every index that is not valid, ready and live; by name."""
    broken = (index for index in catalog.indexes if not (index.valid and index.ready and index.live))
    return tuple(_verdict(catalog, index) for index in sorted(broken, key=lambda i: (i.schema, i.name)))


def _verdict(catalog: Catalog, index: IndexInfo) -> Invalid:
    build = _build(catalog, index)
    if build is not None:
        done = f", {build.done_percent:g} % of its blocks" if build.done_percent is not None else ""
        reason = f"backend {build.pid} is building it now ({build.phase}{done})"
        return Invalid(index=index, state="building", reason=reason, action=None)
    if catalog.table_of(index).kind == "partitioned":
        return _incomplete(catalog, index)
    if not index.live:
        reason = "DROP INDEX CONCURRENTLY was interrupted; it costs nothing but space"
        return Invalid(index=index, state="being dropped", reason=reason, action=_drop(index))
    tail = index.name.rpartition("_")[2].rstrip("0123456789")
    if tail in {"ccnew", "ccold"}:
        reason = "left behind by an interrupted REINDEX CONCURRENTLY; the index it was to replace is in place"
        return Invalid(index=index, state="leftover", reason=reason, action=_drop(index))
    return _broken(index)


def _build(catalog: Catalog, index: IndexInfo) -> IndexBuild | None:
    builds = catalog.snapshot.builds
    return next((build for build in builds if build.index_oid == index.oid), None)


def _broken(index: IndexInfo) -> Invalid:
    writes = "every write still maintains it" if index.ready else "writes do not maintain it"
    if not index.unique:
        reason = f"a concurrent build was interrupted; no query uses it, {writes}"
        return Invalid(index=index, state="broken", reason=reason, action=_reindex(index))
    refuses = ", and it still refuses rows that would break uniqueness" if index.ready else ""
    reason = f"a concurrent build was interrupted or met duplicate rows; no query uses it, {writes}{refuses}"
    if index.constraint is not None:
        return Invalid(index=index, state="broken", reason=reason, action=_reindex(index))
    # A rebuild over duplicates fails again, stops the script, and leaves one more invalid index behind.
    advice = f"{reason}: drop it, remove the duplicates, then create it again (the undo)"
    return Invalid(index=index, state="broken", reason=advice, action=_drop(index))


def _incomplete(catalog: Catalog, index: IndexInfo) -> Invalid:
    """An index made ON ONLY a partitioned table becomes valid when every partition has its part attached."""
    attached = catalog.attached_to.get(index.oid, ())
    tables_done = {part.table_oid for part in catalog.snapshot.indexes if part.oid in attached}
    parts = catalog.partitions_of.get(index.table_oid, ())
    lacking = [part for part in parts if part.oid not in tables_done]
    taken, lines = set(catalog.names), []
    for part in lacking:
        name = free_name(part.schema, part.name, (index.name.removeprefix("idx_"),), taken)
        taken.add((part.schema, name))
        body = index_body(index)
        lines.append(create_index(catalog, part, name, body, unique=index.unique, where=index.predicate))
        lines.append(
            f"ALTER INDEX {qualified(index.schema, index.name)} ATTACH PARTITION {qualified(part.schema, name)};"
        )
    action = Action(
        summary=f"build and attach the part of {len(lacking)} partition(s)",
        statement="\n".join(lines),
        lock="SHARE UPDATE EXCLUSIVE on each partition while it is built: reads and writes go on",
        takes="the time of building it on these partitions",
        reversible=True,
        undo=f"DROP INDEX {qualified(index.schema, index.name)};",
    )
    reason = f"{len(lacking)} of {len(parts)} partition(s) have no attached part"
    return Invalid(index=index, state="incomplete", reason=reason, action=action if lacking else _reindex(index))


def _drop(index: IndexInfo) -> Action:
    return Action(
        summary="drop it",
        statement=f"DROP INDEX CONCURRENTLY {qualified(index.schema, index.name)};",
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="waits for transactions that may still use the table",
        reversible=True,
        undo=rebuild(index),
    )


def _reindex(index: IndexInfo) -> Action:
    name = qualified(index.schema, index.name)
    return Action(
        summary="build it anew, or drop it when nobody wants it",
        statement=f"REINDEX INDEX CONCURRENTLY {name};",
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="two passes over the table, and a wait for every older transaction",
        reversible=True,
        undo=f"DROP INDEX CONCURRENTLY {name};",
    )
