"""How to bring an index back to its declaration without a moment in which queries have neither."""

from collections.abc import Iterator

from msgspec.structs import replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Absent, Drifted
from dbvitals.analyse.index_semantics import is_exclusion, usable
from dbvitals.analyse.sql_text import (
    comment,
    create_index,
    free_name,
    index_body,
    qualified,
    quote_ident,
)
from dbvitals.model import Action
from dbvitals.snapshot import IndexConstraint, IndexInfo, TableInfo

_GOES_ON = "SHARE UPDATE EXCLUSIVE: reads and writes go on"
_SWAP = "ACCESS EXCLUSIVE on the table for the swap at the end, milliseconds; it gives up after 2 s of waiting for it"
_BUILD = "two passes over the table, and a wait for every older transaction"
_NULLABLE = "; with a column that may be NULL the primary key reads the table once more, under that lock"
_UNIQUE = "; it fails when rows break the uniqueness, and leaves an invalid index to drop"


def rename(absent: Absent) -> Action:
    """Give an equal index the declared name."""
    found = absent.same_as
    assert found is not None  # noqa: S101 -- only called for these
    old, new = qualified(found.schema, found.name), quote_ident(absent.index.name)
    return Action(
        summary=f"rename it to {absent.index.name}",
        statement=f"ALTER INDEX {old} RENAME TO {new};",
        lock=_GOES_ON,
        takes="milliseconds",
        reversible=True,
        undo=f"ALTER INDEX {qualified(found.schema, absent.index.name)} RENAME TO {quote_ident(found.name)};",
    )


def create_declared(catalog: Catalog, absent: Absent) -> Action:
    """Make a declared index that is not there, with its constraint when it backs one."""
    table, index = absent.table, absent.index
    if is_exclusion(index):
        return _by_hand(f"create {index.name}", _EXCLUSION)
    lines = [*_make_room(catalog, table, index)]
    if index.constraint is None:
        lines.append(_create(catalog, table, index.name, index))
        undo = _drop(table, index, concurrently=True)
    else:
        build, adopt = _constraint(catalog, table, index, index.constraint, _built_name(catalog, table, index, "new"))
        others = _other_primary(catalog, table, index, index)
        lines += [*build, *_transaction(*_dropped(table, others), *adopt)]
        undo = "\n".join([_drop(table, index, concurrently=False), *_restored(catalog, table, others)])
    return Action(
        summary=f"create {index.name}",
        statement="\n".join(lines),
        lock=_GOES_ON if index.constraint is None else _SWAP,
        takes=_takes(table, index),
        reversible=True,
        undo=undo,
    )


def rebuild_as_declared(catalog: Catalog, drifted: Drifted) -> Action:
    """Change it in place where that is enough; else build the declared one beside it, then swap them."""
    table, actual, expected = drifted.table, drifted.actual, drifted.expected
    in_place = table.kind != "partitioned"
    if "column type" in drifted.kinds:
        return _by_hand("change the type of the column first", _COLUMN_TYPE)
    if in_place and drifted.kinds == {"storage"}:
        return _set_storage(drifted)
    if in_place and drifted.kinds == {"state"}:
        return _reindex(actual)
    if is_exclusion(expected):
        return _by_hand("make the constraint again", _EXCLUSION)
    if in_place and drifted.kinds == {"constraint"} and expected.constraint and not actual.constraint:
        return _adopt(catalog, drifted, expected.constraint)
    others = _other_primary(catalog, table, expected, actual)
    undo = "\n".join([_replace(catalog, table, actual, expected, "old"), *_restored(catalog, table, others)])
    reversible = usable(actual) and not is_exclusion(actual)
    return Action(
        summary="build the declared index beside it, then let it take over the name",
        statement=_replace(catalog, table, expected, actual, "new"),
        lock=_GOES_ON if _swaps_without_lock(table, expected, actual) else _SWAP,
        takes=_takes(table, expected),
        reversible=reversible,
        undo=undo if reversible else None,
    )


_COLUMN_TYPE = "the index follows its column's type: a migration has to change that; then look again"
_EXCLUSION = (
    "an exclusion constraint cannot be built beside its table's traffic: run the declaration itself in a quiet moment; "
    "it locks the table while it builds"
)


def _by_hand(summary: str, why: str) -> Action:
    return Action(summary=summary, statement=comment(why), lock="none", takes="nothing by itself", reversible=True)


def _takes(table: TableInfo, index: IndexInfo) -> str:
    nullable = {column.name for column in table.columns if not column.not_null}
    primary = index.constraint is not None and index.constraint.type == "primary"
    late = _NULLABLE if primary and nullable & {key.column for key in index.keys} else ""
    return _BUILD + late + (_UNIQUE if index.unique else "")


def _set_storage(drifted: Drifted) -> Action:
    wanted, present = drifted.expected.options, drifted.actual.options
    return Action(
        summary="set the declared storage parameters, and rebuild so that they apply",
        statement=_storage(drifted.actual, wanted, present),
        lock=_GOES_ON,
        takes=_BUILD,
        reversible=True,
        undo=_storage(drifted.actual, present, wanted),
    )


def _storage(index: IndexInfo, wanted: tuple[str, ...], present: tuple[str, ...]) -> str:
    name = qualified(index.schema, index.name)
    lines = []
    if gone := sorted({option.partition("=")[0] for option in present} - {o.partition("=")[0] for o in wanted}):
        lines.append(f"ALTER INDEX {name} RESET ({', '.join(gone)});")
    if new := sorted(set(wanted) - set(present)):
        settings = [f"{key} = '{value}'" for key, _, value in (option.partition("=") for option in new)]
        lines.append(f"ALTER INDEX {name} SET ({', '.join(settings)});")
    return "\n".join([*lines, f"REINDEX INDEX CONCURRENTLY {name};"])


def _reindex(index: IndexInfo) -> Action:
    return Action(
        summary="build it anew",
        statement=f"REINDEX INDEX CONCURRENTLY {qualified(index.schema, index.name)};",
        lock=_GOES_ON,
        takes=_BUILD + (_UNIQUE if index.unique else ""),
        reversible=False,
    )


def _adopt(catalog: Catalog, drifted: Drifted, constraint: IndexConstraint) -> Action:
    """The index is right, only its constraint is gone."""
    table, expected, actual = drifted.table, drifted.expected, drifted.actual
    others = _other_primary(catalog, table, expected, actual)
    lines = _transaction(*_dropped(table, others), _using_index(table, expected, constraint, actual.name))
    return Action(
        summary="make it the index of its constraint again",
        statement="\n".join(lines),
        lock=_SWAP,
        takes="milliseconds" + (_NULLABLE if constraint.type == "primary" else ""),
        reversible=True,
        undo="\n".join([_replace(catalog, table, actual, expected, "old"), *_restored(catalog, table, others)]),
    )


def _replace(catalog: Catalog, table: TableInfo, wanted: IndexInfo, present: IndexInfo, word: str) -> str:
    """Build `wanted` beside `present`, with `word` in its name, then drop that and take over its name."""
    built = _built_name(catalog, table, wanted, word)
    if wanted.constraint is not None:
        build, adopt = _constraint(catalog, table, wanted, wanted.constraint, built)
    else:
        build = [_create(catalog, table, built, wanted)]
        adopt = [f"ALTER INDEX {qualified(table.schema, built)} RENAME TO {quote_ident(wanted.name)};"]
    if _swaps_without_lock(table, wanted, present):
        return "\n".join([*build, _drop(table, present, concurrently=True), *adopt])
    pinned = [
        comment(f"foreign key {name} needs it: drop that key before, add it again after")
        for name in present.referenced_by
    ]
    swap = _transaction(
        *_dropped(table, _other_primary(catalog, table, wanted, present)),
        _drop(table, present, concurrently=False),
        *adopt,
        *_marks(table, wanted, present),
    )
    return "\n".join([*pinned, *build, *swap])


def _built_name(catalog: Catalog, table: TableInfo, index: IndexInfo, word: str) -> str:
    """A free name, and of another `word` for the undo: the parts on partitions keep it."""
    return free_name(table.schema, table.name, (index.name.removeprefix(f"idx_{table.name}_"), word), catalog.names)


def _swaps_without_lock(table: TableInfo, wanted: IndexInfo, present: IndexInfo) -> bool:
    """DROP INDEX CONCURRENTLY knows no constraints, no partitions, and no transaction that would keep a mark."""
    constrained = wanted.constraint is not None or present.constraint is not None
    return not (constrained or table.kind == "partitioned" or present.replica_identity or present.clustered)


def _transaction(*lines: str) -> list[str]:
    return ["BEGIN;", "SET LOCAL lock_timeout = '2s';", *lines, "COMMIT;"]


def _drop(table: TableInfo, index: IndexInfo, *, concurrently: bool) -> str:
    if index.constraint is not None:
        name = quote_ident(index.constraint.name)
        return f"ALTER TABLE {qualified(table.schema, table.name)} DROP CONSTRAINT {name};"
    word = "CONCURRENTLY " if concurrently and table.kind != "partitioned" else ""
    return f"DROP INDEX {word}{qualified(table.schema, index.name)};"


def _marks(table: TableInfo, wanted: IndexInfo, present: IndexInfo) -> Iterator[str]:
    """What the table knows about the index, and forgets when that is dropped."""
    target, name = qualified(table.schema, table.name), quote_ident(wanted.name)
    if present.replica_identity:
        yield f"ALTER TABLE {target} REPLICA IDENTITY USING INDEX {name};"
    if present.clustered:
        yield f"ALTER TABLE {target} CLUSTER ON {name};"


def _other_primary(catalog: Catalog, table: TableInfo, wanted: IndexInfo, present: IndexInfo) -> tuple[IndexInfo, ...]:
    """A table has one primary key: another one than the declared has to go first."""
    if wanted.constraint is None or wanted.constraint.type != "primary":
        return ()
    own = catalog.indexes_of.get(table.oid, ())
    return tuple(i for i in own if i.constraint and i.constraint.type == "primary" and i.name != present.name)


def _dropped(table: TableInfo, others: tuple[IndexInfo, ...]) -> Iterator[str]:
    return (_drop(table, other, concurrently=False) for other in others)


def _restored(catalog: Catalog, table: TableInfo, others: tuple[IndexInfo, ...]) -> Iterator[str]:
    for other in others:
        if other.constraint is not None:
            build, adopt = _constraint(
                catalog, table, other, other.constraint, _built_name(catalog, table, other, "old")
            )
            yield from (*build, *adopt)


def _make_room(catalog: Catalog, table: TableInfo, index: IndexInfo) -> Iterator[str]:
    """The name may be held by an index of another table, such as a renamed predecessor of this one."""
    if (table.schema, index.name) not in catalog.names:
        return
    for other in catalog.snapshot.indexes:
        if (other.schema, other.name) == (table.schema, index.name):
            owner = catalog.tables[other.table_oid]
            spare = free_name(owner.schema, owner.name, (index.name.removeprefix("idx_"),), catalog.names)
            yield f"ALTER INDEX {qualified(other.schema, other.name)} RENAME TO {quote_ident(spare)};"


def _create(catalog: Catalog, table: TableInfo, name: str, index: IndexInfo) -> str:
    return create_index(catalog, table, name, index_body(index), unique=index.unique, where=index.predicate)


def _constraint(
    catalog: Catalog, table: TableInfo, index: IndexInfo, constraint: IndexConstraint, built: str
) -> tuple[list[str], list[str]]:
    """What builds the constraint's index while the service runs, and what then makes it a constraint in one moment."""
    if table.kind != "partitioned":
        return [_create(catalog, table, built, index)], [_using_index(table, index, constraint, built)]
    build: list[str] = []
    adopt = [f"ALTER TABLE ONLY {qualified(table.schema, table.name)} ADD {_clause(index, constraint)};"]
    taken = set(catalog.names)
    for part in catalog.partitions_of.get(table.oid, ()):
        name = free_name(part.schema, part.name, (built.removeprefix("idx_"),), taken)
        taken.add((part.schema, name))
        own = replace(constraint, name=name)
        parts_build, parts_adopt = _constraint(catalog, part, replace(index, name=name), own, name)
        build += parts_build
        attached = qualified(part.schema, name)
        adopt += [*parts_adopt, f"ALTER INDEX {qualified(table.schema, constraint.name)} ATTACH PARTITION {attached};"]
    return build, adopt


def _using_index(table: TableInfo, index: IndexInfo, constraint: IndexConstraint, built: str) -> str:
    """The index takes the constraint's name."""
    head = f"ALTER TABLE {qualified(table.schema, table.name)} ADD CONSTRAINT {quote_ident(constraint.name)}"
    return f"{head} {_KINDS[constraint.type]} USING INDEX {quote_ident(built)}{_deferrable(index)};"


def _clause(index: IndexInfo, constraint: IndexConstraint) -> str:
    kind = _KINDS[constraint.type] + (" NULLS NOT DISTINCT" if index.nulls_not_distinct else "")
    body = index_body(replace(index, nulls_not_distinct=False)).removeprefix("USING btree ")
    return f"CONSTRAINT {quote_ident(constraint.name)} {kind} {body}{_deferrable(index)}"


def _deferrable(index: IndexInfo) -> str:
    return "" if index.immediate else " DEFERRABLE"


_KINDS = {"primary": "PRIMARY KEY", "unique": "UNIQUE"}
