"""SQL that a person will run: names quoted, indexes built and dropped without stopping the service."""

import hashlib
import re
from collections.abc import Collection, Iterable

from dbvitals.analyse.catalog import Catalog
from dbvitals.model import Action
from dbvitals.snapshot import IndexInfo, IndexKey, TableInfo

NAME_BYTES = 63
"""NAMEDATALEN - 1: a longer name is cut by the server, silently, and may then collide."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)

# Every keyword that quote_ident() quotes: all but the unreserved ones (documentation, appendix "SQL Key Words").
_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both
    case cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
    interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
    only or order out outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table tablesample then
    time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when
    where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
    xmlroot xmlserialize xmltable
    """.split()  # noqa: SIM905 -- a list of a hundred and fifty literals reads worse
)


def quote_ident(name: str) -> str:
    """A name as SQL text, quoted when it must be."""
    if _PLAIN.fullmatch(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """`schema.name` as SQL text."""
    return f"{quote_ident(schema)}.{quote_ident(name)}"


def comment(text: str) -> str:
    """A `-- ` comment that stays on one line whatever the text holds."""
    return "-- " + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def key_text(key: IndexKey) -> str:
    """A key as the report shows it: collation, operator class, direction and NULLS only where not default."""
    parts = [key.text]
    if key.collation is not None and not key.collation_default:
        parts.append(f"COLLATE {key.collation}")
    if not key.opclass_default or key.options:
        parts.append(key.opclass + (f" ({key.options})" if key.options else ""))
    if key.descending:
        parts.append("DESC")
    if key.nulls_first != key.descending:
        parts.append("NULLS FIRST" if key.nulls_first else "NULLS LAST")
    return " ".join(parts)


def free_name(schema: str, table: str, columns: Iterable[str], taken: Collection[tuple[str, str]]) -> str:
    """`idx_<table>_<columns>`, the guide's convention, within 63 bytes and not yet taken in the schema."""
    full = "_".join(("idx", table, *columns))
    digest = hashlib.sha256("\x00".join((table, *columns)).encode()).hexdigest()[:8]
    name = full if len(full.encode()) <= NAME_BYTES else f"{_cut(full, NAME_BYTES - 9)}_{digest}"
    number = 1
    candidate = name
    while (schema, candidate) in taken:
        number += 1
        candidate = f"{_cut(name, NAME_BYTES - 1 - len(str(number)))}_{number}"
    return candidate


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def create_index(
    catalog: Catalog,
    table: TableInfo,
    name: str,
    body: str,
    *,
    unique: bool = False,
    where: str | None = None,
) -> str:
    """Statements that build an index without blocking writes; `body` is `USING method (keys) INCLUDE (…) …`.

    A partitioned table takes no CONCURRENTLY: the parent's index is made on it alone, one is built on every partition,
    and each is attached; the last attachment makes the parent's valid.
    """
    head = "CREATE UNIQUE INDEX" if unique else "CREATE INDEX"
    tail = f" {body}" + (f" WHERE {where}" if where else "")
    target = qualified(table.schema, table.name)
    if table.kind != "partitioned":
        return f"{head} CONCURRENTLY {quote_ident(name)} ON {target}{tail};"
    lines = [f"{head} {quote_ident(name)} ON ONLY {target}{tail};"]
    taken = set(catalog.names) | {(table.schema, name)}
    for part in catalog.partitions_of.get(table.oid, ()):
        part_name = free_name(part.schema, part.name, (name.removeprefix("idx_"),), taken)
        taken.add((part.schema, part_name))
        lines.append(create_index(catalog, part, part_name, body, unique=unique, where=where))
        lines.append(
            f"ALTER INDEX {qualified(table.schema, name)} ATTACH PARTITION {qualified(part.schema, part_name)};"
        )
    return "\n".join(lines)


def index_body(index: IndexInfo) -> str:
    """`USING method (keys) INCLUDE (…) NULLS NOT DISTINCT WITH (…)` of an index."""
    keys = ", ".join(key_text(key) for key in index.keys)
    parts = [f"USING {quote_ident(index.method)} ({keys})"]
    if index.include:
        parts.append(f"INCLUDE ({', '.join(quote_ident(name) for name in index.include)})")
    if index.nulls_not_distinct:
        parts.append("NULLS NOT DISTINCT")
    if index.options:
        options = (option.partition("=") for option in index.options)
        parts.append("WITH (" + ", ".join(f"{name} = '{value}'" for name, _, value in options) + ")")
    return " ".join(parts)


def rebuild(index: IndexInfo) -> str:
    """The statement that makes a dropped index again; comment and column statistics targets do not come back."""
    definition = index.definition
    for head in ("CREATE UNIQUE INDEX ", "CREATE INDEX "):
        if definition.startswith(head) and not definition.startswith(f"{head}{quote_ident(index.name)} ON ONLY "):
            definition = f"{head}CONCURRENTLY {definition.removeprefix(head)}"
            break
    if index.tablespace is None:
        return f"{definition};"
    return f"SET default_tablespace = {quote_ident(index.tablespace)};\n{definition};\nRESET default_tablespace;"


def drop_index(catalog: Catalog, index: IndexInfo) -> Action:
    """How to drop an index without stopping the service, and how to get it back."""
    name = qualified(index.schema, index.name)
    table = catalog.table_of(index)
    if table.kind == "partitioned":
        return Action(
            summary="drop the index of the whole partition tree",
            statement=f"SET lock_timeout = '2s';\nDROP INDEX {name};\nRESET lock_timeout;",
            lock="ACCESS EXCLUSIVE on the table and all its partitions",
            takes="milliseconds once the lock is had; it gives up after 2 s of waiting: then run it again",
            reversible=True,
            undo=create_index(
                catalog, table, index.name, index_body(index), unique=index.unique, where=index.predicate
            ),
        )
    return Action(
        summary="drop the index",
        statement=f"DROP INDEX CONCURRENTLY {name};",
        lock="SHARE UPDATE EXCLUSIVE: reads and writes go on",
        takes="waits for transactions that may still use the index",
        reversible=True,
        undo=rebuild(index),
    )
