"""How to bring an index back to its declaration without a moment in which queries have neither."""

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Absent, Drifted
from dbvitals.analyse.sql_text import create_index, free_name, index_body, qualified, quote_ident, rebuild
from dbvitals.model import Action
from dbvitals.snapshot import IndexInfo, TableInfo


def rename(absent: Absent) -> Action:
    """Give an equal index the declared name."""
    found = absent.same_as
    assert found is not None  # noqa: S101 -- only called for these
    old, new = qualified(found.schema, found.name), quote_ident(absent.index.name)
    return Action(
        summary=f"rename it to {absent.index.name}",
        statement=f"ALTER INDEX {old} RENAME TO {new};",
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="milliseconds",
        reversible=True,
        undo=f"ALTER INDEX {qualified(found.schema, absent.index.name)} RENAME TO {quote_ident(found.name)};",
    )


def rebuild_as_declared(catalog: Catalog, drifted: Drifted) -> Action:
    """Build the declared one beside it, then swap them."""
    if all(difference.startswith("storage:") for difference in drifted.differences):
        return _set_storage(drifted)
    table, actual, expected = drifted.table, drifted.actual, drifted.expected
    new = free_name(table.schema, table.name, (actual.name.removeprefix(f"idx_{table.name}_"), "new"), catalog.names)
    build = create_index(catalog, table, new, index_body(expected), unique=expected.unique, where=expected.predicate)
    swap = _swap_constraint(table, expected, actual, new) if _constrained(drifted) else _swap(table, actual, new)
    return Action(
        summary="build the declared index beside it, then let it take over the name",
        statement=f"{build}\n{swap}",
        lock="ACCESS EXCLUSIVE on the table for the swap" if _constrained(drifted) else "SHARE UPDATE EXCLUSIVE",
        takes="two passes over the table, and a wait for every older transaction; the swap takes milliseconds",
        reversible=True,
        undo=f"DROP INDEX {qualified(actual.schema, actual.name)};\n{rebuild(actual)}",
    )


def _constrained(drifted: Drifted) -> bool:
    return drifted.expected.constraint is not None or drifted.actual.constraint is not None


def _set_storage(drifted: Drifted) -> Action:
    name = qualified(drifted.actual.schema, drifted.actual.name)
    before, after = set(drifted.actual.options), set(drifted.expected.options)
    lines = []
    if gone := sorted(option.partition("=")[0] for option in before - after):
        lines.append(f"ALTER INDEX {name} RESET ({', '.join(gone)});")
    if wanted := sorted(after - before):
        lines.append(f"ALTER INDEX {name} SET ({', '.join(wanted)});")
    lines.append(f"REINDEX INDEX CONCURRENTLY {name};")
    return Action(
        summary="set the declared storage parameters, and rebuild so that they apply",
        statement="\n".join(lines),
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="two passes over the table",
        reversible=True,
        undo=None,
    )


def _swap(table: TableInfo, actual: IndexInfo, new: str) -> str:
    concurrently = "" if table.kind == "partitioned" else "CONCURRENTLY "
    return (
        f"DROP INDEX {concurrently}{qualified(actual.schema, actual.name)};\n"
        f"ALTER INDEX {qualified(table.schema, new)} RENAME TO {quote_ident(actual.name)};"
    )


def _swap_constraint(table: TableInfo, expected: IndexInfo, actual: IndexInfo, new: str) -> str:
    target = qualified(table.schema, table.name)
    old = (
        f"ALTER TABLE {target} DROP CONSTRAINT {quote_ident(actual.constraint.name)};"
        if actual.constraint
        else f"DROP INDEX {qualified(actual.schema, actual.name)};"
    )
    lines = ["BEGIN;", "SET LOCAL lock_timeout = '2s';", old]
    if expected.constraint is None:
        lines.append(f"ALTER INDEX {qualified(table.schema, new)} RENAME TO {quote_ident(actual.name)};")
    else:
        kind = "PRIMARY KEY" if expected.constraint.type == "primary" else "UNIQUE"
        name = quote_ident(expected.constraint.name)
        lines.append(f"ALTER TABLE {target} ADD CONSTRAINT {name} {kind} USING INDEX {quote_ident(new)};")
    return "\n".join([*lines, "COMMIT;"])
