"""Does a declared expression mean what a server printed? Decided on PostgreSQL's own parse trees, without a server.

The server adds casts, brackets and schema names that no declaration has, and writes IN, BETWEEN and LIKE in its own
way. All of that is taken away on both sides. A cast that only one side has is taken for one that the server added or
left out, which is right nearly always: a declaration that differs in nothing but a cast is not told apart. Nor is one
that differs in a constant date, time or JSON.
"""

from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_sql, split
from pglast.enums import A_Expr_Kind, BoolExprType
from pglast.parser import ParseError
from pglast.stream import RawStream

Tree = Any
"""Nested tuples: a node's name and its parts."""

_NOISE = frozenset({"location", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end", "row_format"})
_REWRITTEN = frozenset({"timestamp", "timestamptz", "date", "time", "timetz", "interval", "json", "jsonb", "bytea"})
"""Types whose constants the server prints in another way than they were written: they are taken for the same."""

_NO_ELSE = ("constant", None)


def parse_script(text: str) -> tuple[list[Any], list[str]]:
    """The statements of a script, and those that this parser does not understand, as text."""
    try:
        return [raw.stmt for raw in parse_sql(text)], []
    except (ParseError, UnicodeError):
        pass
    try:
        pieces = split(text, with_parser=False)
    except (ParseError, UnicodeError):
        return [], [text]
    understood: list[Any] = []
    not_understood = []
    for piece in pieces:
        try:
            understood.extend(raw.stmt for raw in parse_sql(piece))
        except (ParseError, UnicodeError):
            not_understood.append(piece)
    return understood, not_understood


def expression(text: str) -> Any:
    """The node of an expression as a server prints it; None when this parser does not understand it."""
    try:
        (statement,) = parse_sql(f"SELECT {text}")
    except (ParseError, UnicodeError, ValueError):
        return None
    select: Any = statement.stmt
    return select.targetList[0].val


def printed(node: Any) -> str:
    """An expression as SQL text; not the server's own rendering."""
    return str(RawStream()(node))


def same(declared: Any, server: Any) -> bool:
    """Whether two expressions mean the same, as far as that can be told without knowing the columns' types."""
    return _same(simplify(declared), simplify(server))


def _same(a: Tree, b: Tree) -> bool:
    if a == b:
        return True
    if _is(a, "rewritten") or _is(b, "rewritten"):
        return all(_is(tree, "rewritten") or _is(tree, "constant") for tree in (a, b))
    a_cast, b_cast = _is(a, "cast"), _is(b, "cast")
    if a_cast and b_cast and a[1] == b[1]:
        return _same(a[2], b[2])
    if a_cast and b_cast:
        return False
    if a_cast or b_cast:
        return _same(a[2], b) if a_cast else _same(a, b[2])
    both = isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)
    return both and all(_same(x, y) for x, y in zip(a, b, strict=True))


def _is(tree: Tree, kind: str) -> bool:
    return isinstance(tree, tuple) and len(tree) > 0 and tree[0] == kind


def simplify(node: Any) -> Tree:
    """A node without what depends on how it was written."""
    if isinstance(node, tuple):
        return tuple(simplify(part) for part in node)
    if not isinstance(node, ast.Node):
        return node
    handler = _HANDLERS.get(type(node))
    return handler(node) if handler else (type(node).__name__, *_parts(node))


def _parts(node: Any) -> Iterator[Tree]:
    for name in node.__slots__:
        if name not in _NOISE:
            yield simplify(getattr(node, name))


def last_name(names: Any) -> str:
    """The last part of a qualified name."""
    return str(names[-1].sval)


def setting(option: Any) -> str:
    """The value of a storage or operator class parameter, as the catalogue keeps it."""
    match option.arg:
        case None:
            return "true"
        case ast.TypeName():
            return last_name(option.arg.names)
        case ast.Integer():
            return str(option.arg.ival)
        case ast.Float():
            return str(option.arg.fval)
    return str(option.arg.sval)


def _constant(node: Any) -> Tree:
    value = node.val
    for slot in ("ival", "fval", "boolval", "sval", "bsval"):
        if not node.isnull and hasattr(value, slot):
            return ("constant", str(getattr(value, slot)).lower() if slot == "boolval" else str(getattr(value, slot)))
    return ("constant", None)


def _cast(node: Any) -> Tree:
    """Of a constant the type follows from what it is compared with."""
    argument = simplify(node.arg)
    if _is(argument, "constant") and last_name(node.typeName.names) in _REWRITTEN:
        return ("rewritten", argument[1])
    if _is(argument, "constant") or (_is(argument, "array") and all(_is(item, "constant") for item in argument[1])):
        return argument
    kind = node.typeName
    return ("cast", (last_name(kind.names), simplify(kind.typmods), len(kind.arrayBounds or ())), argument)


def _boolean(node: Any) -> Tree:
    arguments: list[Tree] = []
    for argument in map(simplify, node.args):
        flat = _is(argument, "boolean") and argument[1] == node.boolop != BoolExprType.NOT_EXPR
        arguments.extend(argument[2] if flat else (argument,))
    return ("boolean", node.boolop, tuple(arguments))


def _operator(node: Any) -> Tree:
    left, right, name = simplify(node.lexpr), simplify(node.rexpr), last_name(node.name)
    match node.kind:
        case A_Expr_Kind.AEXPR_IN if len(right) == 1:
            return ("operator", name, left, right[0])
        case A_Expr_Kind.AEXPR_IN:
            return (A_Expr_Kind.AEXPR_OP_ANY if name == "=" else A_Expr_Kind.AEXPR_OP_ALL, name, left, ("array", right))
        case A_Expr_Kind.AEXPR_BETWEEN:
            ends = (("operator", ">=", left, right[0]), ("operator", "<=", left, right[1]))
            return ("boolean", BoolExprType.AND_EXPR, ends)
        case A_Expr_Kind.AEXPR_NOT_BETWEEN:
            ends = (("operator", "<", left, right[0]), ("operator", ">", left, right[1]))
            return ("boolean", BoolExprType.OR_EXPR, ends)
        case A_Expr_Kind.AEXPR_OP if left is None and name == "-" and _is(right, "constant"):
            return ("constant", f"-{right[1]}")
        case A_Expr_Kind.AEXPR_OP | A_Expr_Kind.AEXPR_LIKE | A_Expr_Kind.AEXPR_ILIKE | A_Expr_Kind.AEXPR_SIMILAR:
            return ("operator", name, left, right)
    return (node.kind, name, left, right)


def _case(node: Any) -> Tree:
    otherwise = _NO_ELSE if node.defresult is None else simplify(node.defresult)
    return ("case", simplify(node.arg), simplify(node.args), otherwise)


_HANDLERS: dict[type, Any] = {
    ast.A_Const: _constant,
    ast.TypeCast: _cast,
    ast.ColumnRef: lambda node: ("column", last_name(node.fields)),
    ast.A_ArrayExpr: lambda node: ("array", simplify(node.elements or ())),
    ast.BoolExpr: _boolean,
    ast.A_Expr: _operator,
    ast.FuncCall: lambda node: ("function", last_name(node.funcname), simplify(node.args), node.func_variadic),
    ast.CollateClause: lambda node: ("collate", last_name(node.collname), simplify(node.arg)),
    ast.CaseExpr: _case,
}
