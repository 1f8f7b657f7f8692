"""Redundancy traps of names: commas, quotes, parentheses, emoji, and whatever looks like SQL."""

from tests.integration.traps.case import Needs, Pair, RedundancyCase, Serves

CASES = (
    RedundancyCase(
        name="comma in a column's name",
        setup=(
            'CREATE TABLE t (x int, y int, "x, y" int)',
            "INSERT INTO t SELECT i % 40, i, i * 7 FROM generate_series(1, 2000) i",
            'CREATE INDEX idx_t_comma ON t ("x, y")',
            "CREATE INDEX idx_t_x_y ON t (x, y)",
        ),
        proofs=(
            Needs("idx_t_comma", 'SELECT y FROM t WHERE "x, y" = 77'),
            Needs("idx_t_x_y", "SELECT x, y FROM t ORDER BY x, y"),
        ),
    ),
    RedundancyCase(
        name="upper case is another column",
        setup=(
            'CREATE TABLE t (a int, "A" int, z int)',
            "INSERT INTO t SELECT i, i * 7, i FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_a ON t (a)",
            'CREATE INDEX "IDX_T_A" ON t ("A", z)',
        ),
        proofs=(
            Needs("idx_t_a", "SELECT z FROM t WHERE a = 77"),
            Needs("IDX_T_A", 'SELECT a FROM t WHERE "A" = 77'),
        ),
    ),
    RedundancyCase(
        name="column that looks like a definition",
        setup=(
            'CREATE TABLE t ("a) INCLUDE (b" int, a int, b int)',
            "INSERT INTO t SELECT i, i % 40, i * 7 FROM generate_series(1, 2000) i",
            'CREATE INDEX idx_t_trick ON t ("a) INCLUDE (b")',
            "CREATE INDEX idx_t_a ON t (a) INCLUDE (b)",
        ),
        proofs=(
            Needs("idx_t_trick", 'SELECT b FROM t WHERE "a) INCLUDE (b" = 77'),
            Needs("idx_t_a", "SELECT a, b FROM t WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="column that looks like a direction",
        setup=(
            'CREATE TABLE t (b int, "b DESC" int)',
            "INSERT INTO t SELECT i, i * 7 FROM generate_series(1, 2000) i",
            'CREATE INDEX idx_t_named ON t ("b DESC")',
            "CREATE INDEX idx_t_b ON t (b DESC)",
        ),
        proofs=(
            Needs("idx_t_named", 'SELECT b FROM t WHERE "b DESC" = 77'),
            Needs("idx_t_b", 'SELECT "b DESC" FROM t WHERE b = 77'),
        ),
    ),
    RedundancyCase(
        name="index named like a part of a column",
        setup=(
            "CREATE TABLE t (grid int, id int)",
            "INSERT INTO t SELECT i, i * 7 FROM generate_series(1, 2000) i",
            "CREATE INDEX gr ON t (grid)",
            "CREATE INDEX idx_t_id ON t (id)",
        ),
        proofs=(
            Needs("gr", "SELECT id FROM t WHERE grid = 77"),
            Needs("idx_t_id", "SELECT grid FROM t WHERE id = 77"),
        ),
    ),
    RedundancyCase(
        name="twins \"quoted\" 'every' way; <script>",
        setup=(
            'CREATE TABLE t ("he said ""no""; --" int, "new\nline" int)',
            "INSERT INTO t SELECT i, i * 7 FROM generate_series(1, 2000) i",
            'CREATE INDEX "a <script>alert(1)</script>" ON t ("he said ""no""; --", "new\nline")',
            'CREATE INDEX "z <script>alert(1)</script>" ON t ("he said ""no""; --" , "new\nline")',
        ),
        redundant=(Pair("z <script>alert(1)</script>", "a <script>alert(1)</script>"),),
        proofs=(
            Serves(
                "z <script>alert(1)</script>",
                'SELECT "new\nline" FROM t WHERE "he said ""no""; --" = 77 ORDER BY "new\nline"',
            ),
        ),
    ),
    RedundancyCase(
        name="sixty-three bytes of emoji 🏨🛎🗝🧳🛏🚿",
        setup=(
            'CREATE TABLE "🏨🏨🏨" ("🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎" int, "🗝" int)',
            'INSERT INTO "🏨🏨🏨" SELECT i, i * 7 FROM generate_series(1, 2000) i',
            'CREATE INDEX "🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏a" ON "🏨🏨🏨" ("🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎")',
            'CREATE INDEX "🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏b" ON "🏨🏨🏨" ("🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎", "🗝")',
        ),
        redundant=(Pair("🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏a", "🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏b", "prefix"),),
        proofs=(
            Serves(
                "🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏🛏a",
                'SELECT "🗝" FROM "🏨🏨🏨" WHERE "🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎🛎" = 77',
            ),
        ),
    ),
)
