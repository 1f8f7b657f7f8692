"""How the server looks up the rows that reference a parent row, and what that costs."""

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from tests.integration.traps.plans import pages_touched
from tests.integration.traps.workbench import Connection

# The statement that ri_triggers.c prepares for a change of the parent, one row for each foreign key.
LOOKUPS = """
    SELECT k.conname AS name, k.conrelid AS child, k.confrelid AS parent,
           format('SELECT 1 FROM %s%s x WHERE %s FOR KEY SHARE OF x',
                  CASE WHEN r.relkind = 'p' THEN '' ELSE 'ONLY ' END, k.conrelid::regclass,
                  string_agg(format(c.condition, '$' || u.n), ' AND ' ORDER BY u.n)) AS query,
           format('SELECT %s FROM %s p WHERE NOT EXISTS (SELECT FROM %s x WHERE %s) LIMIT 1',
                  string_agg(format('p.%I', p.attname), ', ' ORDER BY u.n), k.confrelid::regclass,
                  k.conrelid::regclass,
                  string_agg(format(c.condition, format('p.%I', p.attname)), ' AND ' ORDER BY u.n)) AS lonely,
           format('DELETE FROM %s WHERE %s', k.confrelid::regclass,
                  string_agg(format('%I = $%s', p.attname, u.n), ' AND ' ORDER BY u.n)) AS removal,
           format('CREATE INDEX ON %s (%s)', k.conrelid::regclass,
                  string_agg(quote_ident(f.attname), ', ' ORDER BY u.n)) AS mend,
           string_agg(format_type(p.atttypid, NULL), ', ' ORDER BY u.n) AS types,
           coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced
    FROM pg_constraint k
    JOIN pg_class r ON r.oid = k.conrelid
    CROSS JOIN unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (own, theirs, operator, n)
    JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = u.own
    JOIN pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = u.theirs
    JOIN pg_operator o ON o.oid = u.operator
    JOIN pg_namespace s ON s.oid = o.oprnamespace
    JOIN pg_type t ON t.oid = o.oprright
    CROSS JOIN LATERAL (
        SELECT format('%%s OPERATOR(%I.%s) x.%s%s', s.nspname, o.oprname,
                      replace(quote_ident(f.attname), '%', '%%'),
                      CASE WHEN o.oprright <> f.atttypid AND t.typtype <> 'p'
                           THEN '::' || format_type(o.oprright, NULL) ELSE '' END)
    ) AS c (condition)
    WHERE k.contype = 'f' AND k.conparentid = 0
      AND k.connamespace = quote_ident(current_schema())::regnamespace
    GROUP BY k.oid, r.relkind
    ORDER BY k.conname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A foreign key, and the server's search for the rows that reference one parent row.

    `lonely` finds a parent row that nobody references, `removal` deletes it; `mend` is a plain index on the columns.
    """

    name: str
    child: int
    parent: int
    query: str
    lonely: str
    removal: str
    mend: str
    types: str
    enforced: bool


def lookups(connection: Connection) -> list[Lookup]:
    """The lookups of all foreign keys of the current schema; those that partitions inherit are left out."""
    with connection.cursor(row_factory=class_row(Lookup)) as cursor:
        return cursor.execute(LOOKUPS).fetchall()


def lonely_parent(connection: Connection, lookup: Lookup) -> sql.Composed:
    """The key of a parent row that no row references, as a list of literals."""
    row = connection.execute(lookup.lonely).fetchone()
    assert row is not None, "every parent has children"
    return sql.SQL(", ").join(sql.Literal(value) for value in row)


def lookup_pages(connection: Connection, lookup: Lookup, key: sql.Composed) -> int:
    """Pages that one lookup touches by the best plan there is, sequential scans being the last resort."""
    connection.execute("SET LOCAL enable_seqscan = off")
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.execute(f"PREPARE lookup ({lookup.types}) AS {lookup.query}")
    call = sql.SQL("EXECUTE lookup ({})").format(key).as_string(connection)
    assert connection.execute(call).fetchone() is None, "the parent is not lonely"
    pages = pages_touched(connection, call)
    connection.execute("DEALLOCATE lookup")
    return pages


def scans_at_delete(connection: Connection, lookup: Lookup, key: sql.Composed) -> int:
    """Sequential scans of the child, its parts included, that the deletion of a parent row really takes."""
    connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    connection.execute(f"PREPARE removal ({lookup.types}) AS {lookup.removal}")
    before = _sequential_scans(connection, lookup.child)
    connection.execute(sql.SQL("EXECUTE removal ({})").format(key))
    connection.execute("DEALLOCATE removal")
    return _sequential_scans(connection, lookup.child) - before


def _sequential_scans(connection: Connection, table: int) -> int:
    row = connection.execute(
        "SELECT sum(pg_stat_get_xact_numscans(relid)) FROM"
        " (SELECT %(table)s::oid UNION SELECT relid FROM pg_partition_tree(%(table)s)) AS tree (relid)",
        {"table": table},
    ).fetchone()
    assert row is not None
    return int(row[0])
