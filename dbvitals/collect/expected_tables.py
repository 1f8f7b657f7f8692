"""The tables and indexes that parsed DDL declares, statement by statement."""

import itertools
from collections.abc import Iterable
from typing import Any, Literal

from msgspec.structs import replace
from pglast import ast
from pglast.enums import AlterTableType, ConstrType, ObjectType

from dbvitals.collect.expected_blank import blank_index, blank_table
from dbvitals.collect.expected_keys import Lexicon
from dbvitals.collect.parse_tree import last_name, parse_script, setting
from dbvitals.snapshot import CatalogSnapshot, IndexConstraint, IndexInfo, TableInfo

_BACKED: dict[Any, Literal["primary", "unique", "exclusion"]] = {
    ConstrType.CONSTR_PRIMARY: "primary",
    ConstrType.CONSTR_UNIQUE: "unique",
    ConstrType.CONSTR_EXCLUSION: "exclusion",
}
_SUFFIXES = {"primary": "pkey", "unique": "key", "exclusion": "excl"}
_NAME_BYTES = 63


class DeclaredTables:
    """Reads DDL as a server would. `not_followed` names the kinds of statements whose effect is not known here."""

    def __init__(self, schema: str, actual: CatalogSnapshot) -> None:
        self.not_followed: set[str] = set()
        self._schema = schema
        self._actual = actual
        self._present = {(index.table_oid, index.name): index for index in actual.indexes}
        self._existing = {(table.schema, table.name): table for table in actual.tables}
        self._tables: dict[tuple[str, str], TableInfo] = {}
        self._indexes: dict[tuple[str, str], IndexInfo] = {}
        self._lexicons: dict[int, Lexicon] = {}
        self._oids = itertools.count(-1, -1)

    def snapshot(self) -> CatalogSnapshot:
        """What was read, as the collector would have read it."""
        return replace(
            self._actual,
            tables=tuple(self._tables[place] for place in sorted(self._tables)),
            indexes=tuple(self._indexes[place] for place in sorted(self._indexes)),
            foreign_keys=(),
            builds=(),
            statements=(),
            skipped=(),
        )

    def read(self, text: str) -> None:
        """Follow one statement, or a script of them. Never raises: what is not understood is noted."""
        statements, not_understood = parse_script(text)
        if not_understood:
            self.not_followed.add("what the parser does not understand")
        for statement in statements:
            self._follow(statement)

    def _follow(self, statement: Any) -> None:
        match statement:
            case ast.CreateStmt():
                self._create_table(statement)
            case ast.IndexStmt():
                self._create_index(statement)
            case ast.AlterTableStmt() if statement.objtype == ObjectType.OBJECT_TABLE:
                self._alter_table(statement)
            case ast.CreateTableAsStmt(into=ast.IntoClause() as into):
                self._table(into.rel)
            case ast.VariableSetStmt() if statement.name == "search_path" and statement.args:
                self._schema = str(getattr(statement.args[0].val, "sval", self._schema))
            case ast.DropStmt() | ast.RenameStmt() | ast.AlterObjectSchemaStmt() | ast.DoStmt():
                self.not_followed.add(_kind(statement))

    def _table(self, relation: Any) -> TableInfo:
        """The real table, or a blank one that will be called absent."""
        place = (relation.schemaname or self._schema, relation.relname)
        if place not in self._tables:
            self._tables[place] = self._existing.get(place) or blank_table(*place, oid=next(self._oids))
        return self._tables[place]

    def _create_table(self, statement: Any) -> None:
        table = self._table(statement.relation)
        if statement.partbound is not None:
            parent = self._table(statement.inhRelations[0])
            self._tables[table.schema, table.name] = replace(table, parent_oid=parent.oid)
        for element in statement.tableElts or ():
            match element:
                case ast.ColumnDef():
                    self._column(table, element)
                case ast.Constraint():
                    self._constraint(table, element, ())
                case ast.TableLikeClause():
                    self.not_followed.add("CREATE TABLE … LIKE")

    def _column(self, table: TableInfo, column: Any) -> None:
        for constraint in column.constraints or ():
            self._constraint(table, constraint, (column.colname,))

    def _alter_table(self, statement: Any) -> None:
        table = self._table(statement.relation)
        for command in statement.cmds:
            match command.subtype:
                case AlterTableType.AT_AddConstraint:
                    self._constraint(table, command.def_, ())
                case AlterTableType.AT_AddColumn:
                    self._column(table, command.def_)
                case AlterTableType.AT_DropConstraint | AlterTableType.AT_DropColumn:
                    self.not_followed.add("ALTER TABLE … DROP")

    def _constraint(self, table: TableInfo, node: Any, column: tuple[str, ...]) -> None:
        kind = _BACKED.get(node.contype)
        if kind is None:
            return
        if node.indexname is not None:
            self._adopt(table, node, kind)
            return
        columns = column or tuple(key.sval for key in node.keys or ())
        elements = [element for element, _ in node.exclusions or ()] or [ast.IndexElem(name=name) for name in columns]
        named = () if kind == "primary" else (element.name or "expr" for element in elements)
        name = node.conname or self._default_name(table, named, _SUFFIXES[kind])
        self._add(
            table,
            name,
            method=node.access_method or ("gist" if node.without_overlaps else "btree"),
            elements=elements,
            where=node.where_clause,
            include=tuple(include.sval for include in node.including or ()),
            unique=kind != "exclusion",
            nulls_not_distinct=bool(node.nulls_not_distinct),
            immediate=not node.deferrable,
            options=_options(node.options),
            constraint=IndexConstraint(name=name, type=kind, deferrable=bool(node.deferrable)),
        )

    def _adopt(self, table: TableInfo, node: Any, kind: Literal["primary", "unique", "exclusion"]) -> None:
        """ADD CONSTRAINT … USING INDEX: the index takes the constraint's name."""
        index = self._indexes.pop((table.schema, node.indexname), None)
        if index is not None:
            name = node.conname or node.indexname
            constraint = IndexConstraint(name=name, type=kind, deferrable=bool(node.deferrable))
            adopted = replace(index, name=name, constraint=constraint, immediate=not node.deferrable)
            self._indexes[table.schema, name] = adopted

    def _create_index(self, statement: Any) -> None:
        table = self._table(statement.relation)
        columns = (element.name or _called(element.expr) for element in statement.indexParams)
        self._add(
            table,
            statement.idxname or self._default_name(table, columns, "idx"),
            method=statement.accessMethod or "btree",
            elements=statement.indexParams,
            where=statement.whereClause,
            include=tuple(element.name for element in statement.indexIncludingParams or ()),
            unique=bool(statement.unique),
            nulls_not_distinct=bool(statement.nulls_not_distinct),
            options=_options(statement.options),
        )

    def _add(
        self, table: TableInfo, name: str, *, method: str, elements: Iterable[Any], where: Any, **facts: Any
    ) -> None:
        if table.oid not in self._lexicons:
            own = [index for index in self._actual.indexes if index.table_oid == table.oid]
            self._lexicons[table.oid] = Lexicon(table, own)
        lexicon, present = self._lexicons[table.oid], self._present.get((table.oid, name))
        self._indexes[table.schema, name] = blank_index(
            table,
            name,
            oid=next(self._oids),
            method=method,
            keys=lexicon.keys(tuple(elements), method, present),
            predicate=None if where is None else lexicon.text(where, present.predicate if present else None),
            **facts,
        )

    def _default_name(self, table: TableInfo, columns: Iterable[str], suffix: str) -> str:
        """The name that the server chooses (makeObjectName and ChooseRelationName in its indexcmds.c)."""
        joined = "_".join(columns)
        tails = itertools.chain([suffix], (f"{suffix}{number}" for number in itertools.count(1)))
        names = (_object_name(table.name, joined, tail) for tail in tails)
        return next(name for name in names if (table.schema, name) not in self._indexes)


def _object_name(table: str, columns: str, suffix: str) -> str:
    """Table and columns are cut, the longer one first, until the whole fits."""
    first, second = table.encode(), columns.encode()
    room = _NAME_BYTES - len(suffix) - 1 - (1 if second else 0)
    while len(first) + len(second) > room:
        first, second = (first[:-1], second) if len(first) > len(second) else (first, second[:-1])
    parts = (part.decode(errors="ignore") for part in (first, second) if part)
    return "_".join([*parts, suffix])


def _called(node: Any) -> str:
    names = getattr(node, "funcname", None) or getattr(node, "fields", None)
    return last_name(names) if names else "expr"


def _options(nodes: Any) -> tuple[str, ...]:
    return tuple(sorted(f"{node.defname}={setting(node)}" for node in nodes or ()))


def _kind(statement: Any) -> str:
    words = {"DropStmt": "DROP", "RenameStmt": "RENAME", "AlterObjectSchemaStmt": "SET SCHEMA", "DoStmt": "DO"}
    return words[type(statement).__name__]
