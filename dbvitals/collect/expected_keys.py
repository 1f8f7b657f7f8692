"""Keys and predicates of declared indexes, in the words that the server has for them where it has any."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from pglast import ast
from pglast.enums import SortByDir, SortByNulls

from dbvitals.analyse.sql_text import quote_ident
from dbvitals.collect.expected_blank import blank_key
from dbvitals.collect.parse_tree import expression, last_name, printed, same, setting
from dbvitals.snapshot import IndexInfo, IndexKey, TableInfo


class Lexicon:
    """What the real indexes of one table know: how the server prints expressions, and what it takes for defaults."""

    def __init__(self, table: TableInfo, indexes: list[IndexInfo]) -> None:
        self._keys = [(index.method, key) for index in indexes for key in index.keys if index.texts_known]
        self._quoted = {column.name: column.quoted for column in table.columns}
        texts = {key.text for _, key in self._keys if key.column is None}
        texts |= {index.predicate for index in indexes if index.predicate is not None}
        self._printed = {text: expression(text) for text in sorted(texts)}

    def text(self, node: Any, present: str | None) -> str:
        """The server's text of a declared expression; `present` is the one that it is compared with.

        A text of the server that the parser does not understand cannot be compared: it is taken for the same.
        """
        if present is not None and self._printed.get(present) is None:
            return present
        known = [present] if present is not None else []
        for text in (*known, *self._printed):
            tree = self._printed.get(text)
            if tree is not None and same(node, tree):
                return text
        return printed(node)

    def keys(self, elements: tuple[Any, ...], method: str, present: IndexInfo | None) -> tuple[IndexKey, ...]:
        """The keys of a declared index; `present` is the real one of its name."""
        counterparts: Iterable[IndexKey | None] = (None,) * len(elements)
        if present is not None and len(present.keys) == len(elements) and present.method == method:
            counterparts = present.keys
        return tuple(
            self._key(element, method, counterpart) for element, counterpart in zip(elements, counterparts, strict=True)
        )

    def _key(self, element: Any, method: str, counterpart: IndexKey | None) -> IndexKey:
        column = _column(element, counterpart)
        if column is not None:
            bare = blank_key(self._quoted.get(column, quote_ident(column)), column)
        else:
            other = counterpart.text if counterpart is not None and counterpart.column is None else None
            bare = blank_key(self.text(element.expr, other), None)
        descending = element.ordering == SortByDir.SORTBY_DESC
        by_default = element.nulls_ordering in (None, SortByNulls.SORTBY_NULLS_DEFAULT)
        first = descending if by_default else element.nulls_ordering == SortByNulls.SORTBY_NULLS_FIRST
        key = replace(bare, descending=descending, nulls_first=first)
        alike = [known for used, known in self._keys if used == method and known.text == key.text]
        if counterpart is not None and counterpart.text == key.text:
            alike.insert(0, counterpart)
        return _with_collation(_with_opclass(key, element, alike), element, alike)


def _column(element: Any, counterpart: IndexKey | None) -> str | None:
    """The plain column that a key is, if it is one: the server sees through brackets and casts that change nothing."""
    if element.name is not None:
        return str(element.name)
    if isinstance(element.expr, ast.ColumnRef):
        return last_name(element.expr.fields)
    if counterpart is not None and counterpart.column is not None and same(element.expr, expression(counterpart.text)):
        return counterpart.column
    return None


def _with_opclass(key: IndexKey, element: Any, alike: list[IndexKey]) -> IndexKey:
    options = ", ".join(f"{option.defname}={setting(option)}" for option in element.opclassopts or ())
    for known in alike:
        fits = _last(known.opclass) == last_name(element.opclass) if element.opclass else known.opclass_default
        if fits:
            return replace(
                key,
                opclass=known.opclass,
                opclass_default=known.opclass_default,
                opfamily=known.opfamily,
                opfamily_oid=known.opfamily_oid,
                options=options,
            )
    if not element.opclass:
        return replace(key, options=options)
    return replace(key, opclass=_qualified(element.opclass), opclass_default=False, options=options)


def _with_collation(key: IndexKey, element: Any, alike: list[IndexKey]) -> IndexKey:
    for known in alike:
        named = _last(known.collation or "")
        if named == last_name(element.collation) if element.collation else known.collation_default:
            return replace(key, collation=known.collation, collation_default=known.collation_default)
    if not element.collation:
        return key
    return replace(key, collation=_qualified(element.collation), collation_default=False)


def _qualified(names: Any) -> str:
    parts = [name.sval for name in names]
    return ".".join(quote_ident(part) for part in parts if part != "pg_catalog" or len(parts) == 1)


def _last(quoted: str) -> str:
    """The bare name of an operator class or collation as the catalogue reader prints it."""
    if quoted.endswith('"'):
        return quoted[:-1].rpartition('"')[2] if '""' not in quoted else quoted
    return quoted.rpartition(".")[2]
