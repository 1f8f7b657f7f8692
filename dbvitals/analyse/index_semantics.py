"""When does one index serve everything that another one serves? Decided on the catalogue's facts, never on text.

`serves` is the one relation: existing indexes, declared ones and proposals are all compared by it. It is transitive, so
a chain of redundant indexes always ends at one that stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from dbvitals.analyse.catalog import Catalog
from dbvitals.snapshot import IndexInfo, IndexKey, TableInfo

_STORAGE_ONLY = frozenset(
    {"fillfactor", "deduplicate_items", "fastupdate", "gin_pending_list_limit", "buffering", "autosummarize"}
)
"""Parameters that change how an index is kept, not what it answers (CREATE INDEX, "Index Storage Parameters")."""

_SPELLED_OUT_DEFAULTS = frozenset({"pages_per_range=128"})

_ANY_ORDER = frozenset({"gin", "brin"})
"""Access methods that search any subset of their columns equally well (documentation, "Multicolumn Indexes")."""

_SAME_ORDER = frozenset({"hash", "gist", "spgist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The proof, in words, that `by` serves everything that another index serves. `exact`: and the other way round."""

    by: IndexInfo
    exact: bool
    proof: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """An index that can go, because `kept` serves everything it serves."""

    index: IndexInfo
    kept: IndexInfo
    kind: Literal["exact", "prefix"]
    proof: tuple[str, ...]


def serves(a: IndexInfo, b: IndexInfo, table: TableInfo) -> tuple[str, ...] | None:
    """Why index `a` of `table` serves everything that `b` serves; None when it does not, or that is not certain."""
    if not (usable(a) and b.texts_known) or a.table_oid != b.table_oid or a.method != b.method:
        return None
    proof = []
    for step in (_keys(a, b), _include(a, b), _uniqueness(a, b), _predicate(a, b, table), _options(a, b)):
        if step is None:
            return None
        proof.append(step)
    return tuple(step for step in proof if step)


def usable(index: IndexInfo) -> bool:
    """Whether queries can use it, and everything about it is known."""
    return index.valid and index.ready and index.live and index.texts_known


def _keys(a: IndexInfo, b: IndexInfo) -> str | None:
    ours, theirs = _identities(a), _identities(b)
    if a.method in _ANY_ORDER:
        same = sorted(ours) == sorted(theirs)
        return f"both hold the same columns, whose order does not matter to {a.method}" if same else None
    if a.method != "btree":
        same = ours == theirs and _directions(a.keys) == _directions(b.keys)
        return "both have the same key columns" if same else None
    if ours[: len(theirs)] != theirs:
        return None
    leading, own = _directions(a.keys)[: len(theirs)], _directions(b.keys)
    if leading == own:
        return _prefix_words(a, b)
    if leading == [(not descending, not nulls_first) for descending, nulls_first in own]:
        return f"{_prefix_words(a, b)}, read backwards (every direction and NULLS order is the mirror image)"
    return None


def _prefix_words(a: IndexInfo, b: IndexInfo) -> str:
    if len(a.keys) == len(b.keys):
        return "both have the same key columns, operator classes and collations"
    own = "its key column leads" if len(b.keys) == 1 else f"its {len(b.keys)} key columns lead"
    return f"{own} the other's {len(a.keys)}, with the same operator classes and collations"


def _identities(index: IndexInfo) -> list[tuple[str, str, str, str, str]]:
    """What each key holds, and how it compares. B-tree and hash compare by family: `varchar_ops` is `text_ops`."""
    by_family = index.method in {"btree", "hash"}
    return [
        (
            "expression" if key.column is None else "column",
            key.column or key.text,
            key.opfamily if by_family else key.opclass,
            key.options,
            key.collation or "",
        )
        for key in index.keys
    ]


def _directions(keys: tuple[IndexKey, ...]) -> list[tuple[bool, bool]]:
    return [(key.descending, key.nulls_first) for key in keys]


def _include(a: IndexInfo, b: IndexInfo) -> str | None:
    """A B-tree gives back its key columns in index-only scans too; other methods may not."""
    stored = set(a.include)
    if a.method == "btree":
        stored |= {key.column for key in a.keys if key.column is not None}
    if not set(b.include) <= stored:
        return None
    return "it stores every INCLUDE column" if b.include else ""


def _uniqueness(a: IndexInfo, b: IndexInfo) -> str | None:
    if is_exclusion(b):
        return None
    if not b.unique:
        return "uniqueness is the other's, so the other stays" if a.unique else ""
    same_rule = a.unique and len(a.keys) == len(b.keys) and a.nulls_not_distinct == b.nulls_not_distinct
    if not same_rule or (b.immediate and not a.immediate):
        return None
    return "both enforce the same uniqueness, with the same treatment of NULLs"


def is_exclusion(index: IndexInfo) -> bool:
    """Whether it backs an exclusion constraint, or a key WITHOUT OVERLAPS (PostgreSQL 18), which works like one."""
    return index.constraint is not None and (index.constraint.type == "exclusion" or index.method == "gist")


def _predicate(a: IndexInfo, b: IndexInfo, table: TableInfo) -> str | None:
    if a.predicate == b.predicate:
        return "both have the same predicate" if b.predicate else ""
    if a.predicate is None and b.predicate in not_null_predicates(
        column.quoted for column in table.columns if column.not_null
    ):
        return "its predicate is always true: the columns are NOT NULL"
    return None


def not_null_predicates(quoted_columns: Iterable[str]) -> frozenset[str]:
    """Texts, as the server prints them, of `x IS NOT NULL` over one or two of the given columns."""
    single = [f"({column} IS NOT NULL)" for column in quoted_columns]
    pairs = [f"({x} AND {y})" for a, b in combinations(single, 2) for x, y in ((a, b), (b, a))]
    return frozenset(single) | frozenset(pairs)


def _options(a: IndexInfo, b: IndexInfo) -> str | None:
    if a.method in {"btree", *_ANY_ORDER, *_SAME_ORDER}:
        return "" if _meaningful(a) == _meaningful(b) else None
    return "both have the same storage parameters" if a.options == b.options else None


def _meaningful(index: IndexInfo) -> frozenset[str]:
    options = (option for option in index.options if option.partition("=")[0] not in _STORAGE_ONLY)
    return frozenset(options) - _SPELLED_OUT_DEFAULTS


def find_redundant(
    catalog: Catalog,
    *,
    declared: frozenset[tuple[str, str]] = frozenset(),
    leaving: frozenset[int] = frozenset(),
    changing: frozenset[int] = frozenset(),
) -> tuple[Redundancy, ...]:
    """Indexes that can go, each with the one that stays for it; never both of a pair, never the last of a chain.

    `declared` are (schema, name) of indexes that the project declares: of equals they stay. `leaving` are OIDs of
    indexes that go for another reason: they hold up no other, unless it is their exact twin. `changing` are OIDs of
    indexes that will be rebuilt with another definition: what they serve now says nothing, so they are left out.
    """
    groups: dict[tuple[object, ...], list[IndexInfo]] = {}
    for indexes in catalog.indexes_of.values():
        for index in indexes:
            if usable(index) and index.oid not in changing:
                groups.setdefault(_comparable(index), []).append(index)
    found: list[Redundancy] = []
    for group in groups.values():
        if len(group) > 1:
            found.extend(_redundant_of_group(catalog.tables[group[0].table_oid], group, declared, leaving))
    return tuple(sorted(found, key=lambda r: (r.index.schema, r.index.name)))


def _comparable(index: IndexInfo) -> tuple[object, ...]:
    """Equal for any two indexes of which one could serve the other: keeps the comparisons few on large catalogues."""
    first = _identities(index)[0] if index.method == "btree" else len(index.keys)
    return (index.table_oid, index.method, first)


def _redundant_of_group(
    table: TableInfo, group: list[IndexInfo], declared: frozenset[tuple[str, str]], leaving: frozenset[int]
) -> list[Redundancy]:
    ranks = {index.oid: _rank(index, table, declared) for index in group}
    staying = sorted(group, key=lambda index: ranks[index.oid])
    going = []
    for index in reversed(tuple(staying)):
        others = [other for other in staying if other is not index]
        services = [service for other in others if (service := _service(other, index, table, leaving))]
        if any(may_go(index, service.by) for service in services):
            staying.remove(index)
            going.append(index)
    redundant = []
    for index in going:
        services = [s for other in staying if (s := _service(other, index, table, leaving)) and may_go(index, other)]
        best = min(services, key=lambda s: (not s.exact, s.by.size_bytes, ranks[s.by.oid]))
        redundant.append(
            Redundancy(index=index, kept=best.by, kind="exact" if best.exact else "prefix", proof=best.proof)
        )
    return redundant


def _service(by: IndexInfo, index: IndexInfo, table: TableInfo, leaving: frozenset[int]) -> Service | None:
    proof = serves(by, index, table)
    if proof is None:
        return None
    exact = serves(index, by, table) is not None
    return Service(by=by, exact=exact, proof=proof) if exact or by.oid not in leaving else None


def may_go(index: IndexInfo, kept: IndexInfo) -> bool:
    """Whether nothing but queries needs the index.

    The index of a UNIQUE constraint may go with it when the kept one backs a constraint on the same columns.
    """
    if index.referenced_by or index.replica_identity or index.clustered or index.parent_oid is not None:
        return False
    if index.constraint is None:
        return True
    return index.constraint.type == "unique" and kept.constraint is not None


def _rank(index: IndexInfo, table: TableInfo, declared: frozenset[tuple[str, str]]) -> tuple[object, ...]:
    """Of equals, which one stays: the smallest."""
    order = {"primary": 0, "exclusion": 1, "unique": 2}
    return (
        order[index.constraint.type] if index.constraint else 3,
        not index.referenced_by,
        not index.replica_identity,
        not index.clustered,
        index.parent_oid is None,
        not index.unique,
        (index.schema, index.name) not in declared,
        not index.name.startswith(f"idx_{table.name}_"),
        -len(index.keys),
        len(index.name),
        index.name,
    )
