"""Takes the literals out of a query's text: they may be a guest's name, phone number or e-mail address.

Works on texts that the server has cut off (track_activity_query_size), which no parser takes.
"""

import re

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\r\n]* | /\* )
    | (?P<string> (?:[eE]|[bBxXnN]|[uU]&)? ' )
    | (?P<dollar> \$ (?:(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_]|[^\x00-\x7f])*)? \$ )
    | (?P<name> " (?:[^"]|"")* (?:"|\Z) | (?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_$]|[^\x00-\x7f])* )
    | (?P<parameter> \$\d+ )
    | (?P<number> 0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
                | (?:\d[\d_]*)? \.? \d[\d_]* \.? (?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s+")
_UNCLOSED = " …"


def without_literals(query: str) -> str:
    """The query with `$n` for each literal, without comments, on one line.

    Numbering goes on after the highest parameter that the query has, as pg_stat_statements does it. Where it is not
    sure where a literal ends, the rest of the text is left out.
    """
    number = max((int(found[1]) for found in re.finditer(r"\$(\d{1,9})", query)), default=0)
    parts: list[str] = []
    position = 0
    while (token := _TOKEN.search(query, position)) is not None:
        parts.append(query[position : token.start()])
        end = _end(query, token)
        if token.lastgroup in ("string", "dollar", "number"):
            number += 1
            parts.append(f"${number}")
        elif token.lastgroup == "comment":
            parts.append(" ")
        else:
            parts.append(token[0])
        if end is None:
            parts.append(_UNCLOSED)
            position = len(query)
            break
        position = end
    parts.append(query[position:])
    return _SPACE.sub(" ", "".join(parts)).strip()


def _end(query: str, token: re.Match[str]) -> int | None:
    """Where the token ends; None when it does not, or when that cannot be told."""
    match token.lastgroup:
        case "string":
            return _string_end(query, token)
        case "dollar":
            end = query.find(token[0], token.end())
            return None if end < 0 else end + len(token[0])
        case "comment" if token[0] == "/*":
            return _comment_end(query, token.end())
        case _:
            return token.end()


def _string_end(query: str, token: re.Match[str]) -> int | None:
    """A backslash before a quote ends a plain string or does not, by a setting of the session: then nothing is sure."""
    escapes = token[0][0] in "eE"
    position = token.end()
    while (found := re.compile(r"\\|''|'").search(query, position)) is not None:
        if found[0] == "'":
            return found.end()
        position = found.end()
        if found[0] != "\\":
            continue
        if escapes:
            position += 1
        elif query.startswith("'", position):
            return None
    return None


def _comment_end(query: str, position: int) -> int | None:
    """Comments nest."""
    depth = 1
    while (found := re.compile(r"/\*|\*/").search(query, position)) is not None:
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
        if depth == 0:
            return position
    return None
