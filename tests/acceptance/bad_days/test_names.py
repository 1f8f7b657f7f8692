"""Hostile names of everything that has one, through every output; and the script runs as it stands."""

import html
import html.parser
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from dbvitals.sandbox import PostgresServer
from tests.acceptance.cli.conftest import Run, bare_environment
from tests.conftest import MakeDatabase

NAMES = (
    'quo"te',
    "line\nbreak",
    "comma, paren) {brace}",
    "<script>alert(1)</script>",
    "😀" * 15 + "abc",
    "SELECT",
    "a'b;--",
    "\x1b[31mred\x1b[0m\x07",
    "back\\slash \\! id",
    "$$ :x :'y' %s %(z)s",
    "|pipe| `tick` *star*",
    "*/ tab\t\r/*",
)
PLACE = "<script>\x1b[31m, it's \"the\" hotel's\n\\c 😀"
"""Of the database and of the user."""

TABLES = """
CREATE SCHEMA {name};
CREATE TABLE {name}.{name} ({name} int PRIMARY KEY, again int, gone text, parent int REFERENCES {name}.{name});
CREATE INDEX {twice} ON {name}.{name} (again);
CREATE INDEX {again} ON {name}.{name} (again);
CREATE INDEX {unused} ON {name}.{name} (gone DESC) WHERE {name} > 0;
INSERT INTO {name}.{name} SELECT i, i % 2, 'x' FROM generate_series(1, 500) AS i;
"""

CONFIG = "[indexes]\nforeign_key_min_rows = 1\n"
OPTIONS = ("--min-observed", "0", "--exclude-schema", "public")


@dataclass(frozen=True)
class Database:
    """A database whose every table has an index twice, one unused, one broken, and a foreign key without any."""

    server: PostgresServer
    dsn: str

    def psql(self, script: Path) -> "subprocess.CompletedProcess[str]":
        program = self.server.binaries.bin_dir / "psql"
        command = [str(program), "-X", "-v", "ON_ERROR_STOP=1", "-f", str(script), self.dsn]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def hostile(server: PostgresServer) -> Iterator[Database]:
    place = sql.Identifier(PLACE)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(place))
        admin.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(place))
        try:
            made = Database(server, _dsn(server))
            with psycopg.connect(made.dsn, autocommit=True) as connection:
                for name in NAMES:
                    _make_tables(connection, name)
            yield made
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(place))
            admin.execute(sql.SQL("DROP ROLE {}").format(place))


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    with hostile(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def seen(pg18: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A snapshot, to be replayed without a server."""
    folder = tmp_path_factory.mktemp("hostile")
    with hostile(pg18) as made:
        command = [sys.executable, "-m", "dbvitals", "indexes", "--dsn", made.dsn, "--save", "seen.json", "--quiet"]
        subprocess.run(command, cwd=folder, env=bare_environment(), check=True)
    return str(folder / "seen.json")


def _dsn(server: PostgresServer) -> str:
    name = quote(PLACE, safe="")
    return f"postgresql://{name}@/{name}?host={quote(server.host)}&port={server.port}"


def _make_tables(connection: psycopg.Connection[Any], name: str) -> None:
    short = name[:13]
    names = {part: sql.Identifier(f"{short}_{part}") for part in ("twice", "again", "unused", "broken")}
    connection.execute(sql.SQL(TABLES).format(name=sql.Identifier(name), **names))
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {broken} ON {name}.{name} (gone)").format(
                name=sql.Identifier(name), **names
            )
        )
    connection.execute(sql.SQL("UPDATE {0}.{0} SET gone = {0}::text").format(sql.Identifier(name)))


def report_of(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / ".playbook/index_analysis.json").read_bytes())
    assert isinstance(document, dict)
    return document


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    kinds = ("duplicate_indexes", "invalid_indexes", "missing_indexes")
    droppable = sum(index["droppable"] for index in report["unused_indexes"])
    return (*(report["summary"][kind] for kind in kinds), droppable)


class Page(html.parser.HTMLParser):
    """The tags of a page, and its text outside of listings, where SQL stands as it is."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self._listing = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self._listing = self._listing or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._listing = self._listing and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._listing else data


def outside_of_listings(form: str, shown: str) -> str:
    """What a person reads, without the SQL to copy."""
    if form == "html":
        page = Page(shown)
        assert "script" not in page.tags
        return page.text
    if form == "markdown":
        text = re.sub(r"^ *(`{3,}).*?^ *\1$", "", shown, flags=re.MULTILINE | re.DOTALL)
        assert "<script" not in text
        return re.sub(r"\\([^\w\s])", r"\1", html.unescape(text))
    return shown


def test_the_script_runs_as_it_stands_and_does_what_it_says(run: Run, database: Database, tmp_path: Path) -> None:
    (tmp_path / "dbvitals.toml").write_text(CONFIG)
    call = ("indexes", "--dsn", database.dsn, *OPTIONS, "--sql", "mend.sql")
    done = run(*call, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    before = report_of(tmp_path)
    assert (before["target"]["database"], before["target"]["user"]) == (PLACE, PLACE)
    assert {index["schema"] for index in before["existing_indexes"]} == set(NAMES)
    assert counts(before)[:3] == (len(NAMES),) * 3
    assert counts(before)[3] >= len(NAMES)

    # Of two equal indexes that nobody uses, the first report drops one and the second the other.
    for _ in range(2):
        psql = database.psql(tmp_path / "mend.sql")
        assert (psql.returncode, psql.stderr) == (0, "")
        assert run(*call, "--quiet").returncode == 0
    after = report_of(tmp_path)
    assert counts(after) == (0, 0, 0, 0)
    assert "-- Nothing to do." in (tmp_path / "mend.sql").read_text()
    left = sorted(
        (index["schema"], *index["columns"], index["unique"])
        for index in after["existing_indexes"]
        if not index["primary"]
    )
    assert left == sorted((name, "parent", False) for name in NAMES)


@pytest.mark.parametrize("form", ["table", "markdown", "html", "json"])
def test_no_name_gets_out_of_its_place(run: Run, seen: str, form: str) -> None:
    done = run("indexes", "--from", seen, "--format", form, env={"COLUMNS": "400"})
    assert (done.returncode, done.stderr) == (0, "")
    assert not {"\x1b", "\x07", "\r"} & set(done.stdout)
    if form == "json":
        assert {index["table"] for index in json.loads(done.stdout)["existing_indexes"]} == set(NAMES)
        return
    shown = outside_of_listings(form, done.stdout)
    assert "line\nbreak" not in shown
    assert "line\\nbreak" in shown
    assert "\\x1b[31m" in shown


def test_an_error_shows_the_names_in_one_line(run: Run, pg18: PostgresServer) -> None:
    done = run("indexes", "--dsn", _dsn(pg18), "--port", "1")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "<script>\\x1b[31m, it's \"the\" hotel's \\c 😀: " in line


def test_three_hundred_schemas(run: Run, pg18: PostgresServer, make_database: MakeDatabase, tmp_path: Path) -> None:
    """A schema for every tenant, as some do."""
    dsn = make_database(pg18)
    with psycopg.connect(dsn) as connection:
        for number in range(300):
            schema = sql.Identifier(f"{NAMES[number % len(NAMES)][:12]}{number}")
            connection.execute(
                sql.SQL(
                    "CREATE SCHEMA {0}; CREATE TABLE {0}.guests (id int PRIMARY KEY, r int REFERENCES {0}.guests)"
                ).format(schema)
            )
    done = run("indexes", "--dsn", dsn)
    assert (done.returncode, done.stderr) == (0, "")
    report = report_of(tmp_path)
    assert report["summary"]["tables_analyzed"] == 300
    assert len({table["schema"] for table in report["table_statistics"]}) == 300
    assert len(done.stdout.splitlines()) < 300
