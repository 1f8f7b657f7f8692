"""Declared indexes without a server: by PostgreSQL's parser, and by their names where that is missing too."""

import sys

import pytest
from msgspec.structs import replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Drift, compare
from dbvitals.collect.expected_parsed import expected_by_parse_tree
from dbvitals.expect import Expectations
from dbvitals.model import Skipped
from dbvitals.snapshot import CatalogSnapshot, IndexInfo
from tests.unit.collect.declared import column, index, real

TABLE = "CREATE TABLE guests (id bigint, name text, mail text)"


def read(*ddl: str, actual: CatalogSnapshot) -> tuple[Drift, tuple[Skipped, ...]]:
    parsed, skipped = expected_by_parse_tree(Expectations(ddl=ddl), actual, why="no PostgreSQL here")
    return compare(Catalog(actual), Catalog(parsed)), skipped


def names(*ddl: str, actual: CatalogSnapshot | None = None) -> list[str]:
    """The names of the declared indexes, none of which exists."""
    drift, _ = read(*ddl, actual=actual or real())
    return sorted(absent.index.name for absent in drift.absent)


@pytest.mark.parametrize(
    ("ddl", "expected"),
    [
        (("CREATE TABLE guests (id int PRIMARY KEY, name text UNIQUE)",), ["guests_name_key", "guests_pkey"]),
        (("CREATE TABLE guests (id int, CONSTRAINT k UNIQUE (id))",), ["k"]),
        (("CREATE TABLE guests (id int, name text, UNIQUE (id, name))",), ["guests_id_name_key"]),
        ((TABLE, "ALTER TABLE guests ADD PRIMARY KEY (id)"), ["guests_pkey"]),
        ((TABLE, "ALTER TABLE guests ADD COLUMN n int UNIQUE"), ["guests_n_key"]),
        ((TABLE, "CREATE INDEX ON guests (name, id)"), ["guests_name_id_idx"]),
        ((TABLE, "CREATE INDEX ON guests (lower(name), (id + 1))"), ["guests_lower_expr_idx"]),
        (
            (TABLE, "CREATE INDEX ON guests (name)", "CREATE INDEX ON guests (name)"),
            ["guests_name_idx", "guests_name_idx1"],
        ),
        (
            (TABLE, "CREATE UNIQUE INDEX u ON guests (id)", "ALTER TABLE guests ADD CONSTRAINT k UNIQUE USING INDEX u"),
            ["k"],
        ),
        ((TABLE, "SET search_path = other", "CREATE TABLE guests (id int PRIMARY KEY)"), []),
        ((f"{TABLE}; CREATE INDEX a ON guests (id); CREATE INDEX b ON guests (name);",), ["a", "b"]),
        (('CREATE INDEX "a""b;\nc" ON public.guests (id)',), ['a"b;\nc']),
    ],
)
def test_indexes_are_found_under_the_names_that_a_server_gives(ddl: tuple[str, ...], expected: list[str]) -> None:
    assert names(*ddl) == expected


def test_long_default_names_are_cut_as_the_server_cuts_them() -> None:
    table = replace(real().tables[0], name="t" * 60)
    actual = real(tables=(table,))
    (name,) = names(f"CREATE INDEX ON {'t' * 60} (abcdefghij)", actual=actual)
    assert name == f"{'t' * 48}_abcdefghij_idx"


def test_a_statement_that_cannot_be_parsed_is_skipped_and_said() -> None:
    drift, skipped = read("CREATE NONSENSE", TABLE, "CREATE INDEX i ON guests (id)", actual=real())
    assert [absent.index.name for absent in drift.absent] == ["i"]
    assert any("not followed" in part.why and "parser does not understand" in part.why for part in skipped)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP INDEX i", "DROP"),
        ("ALTER INDEX i RENAME TO j", "RENAME"),
        ("DO $$ BEGIN END $$", "DO"),
        ("CREATE TABLE b (LIKE guests INCLUDING ALL)", "LIKE"),
        ("ALTER TABLE guests DROP CONSTRAINT k", "ALTER TABLE … DROP"),
    ],
)
def test_a_statement_whose_effect_is_not_known_is_said(statement: str, said: str) -> None:
    _, skipped = read(TABLE, statement, actual=real())
    assert said in skipped[1].why


def test_what_is_weaker_is_always_said() -> None:
    _, (skipped,) = read(TABLE, actual=real())
    assert skipped.part == "declared indexes"
    assert skipped.why.startswith("no PostgreSQL here: compared by the parse tree")
    assert "sandbox" in skipped.mend


def test_a_default_that_only_the_server_knows_is_no_difference() -> None:
    drift, _ = read(
        TABLE, "CREATE INDEX i ON guests (name, id)", actual=real(index("i", column("name"), column("id", "int8_ops")))
    )
    assert not drift.drifted
    assert not drift.absent


def test_an_operator_class_that_the_declaration_does_not_name_is_a_difference() -> None:
    key = replace(column("name", "text_pattern_ops"), opclass_default=False)
    drift, _ = read(TABLE, "CREATE INDEX i ON guests (name)", actual=real(index("i", key)))
    assert drift.drifted[0].differences == ("operator classes: expected the default, found text_pattern_ops",)


def test_a_predicate_that_the_parser_cannot_read_is_taken_for_the_same() -> None:
    there = index("i", column("name"), predicate="(name NEWER SYNTAX 3)")
    drift, _ = read(TABLE, "CREATE INDEX i ON guests (name) WHERE name = 'a'", actual=real(there))
    assert not drift.drifted


def test_an_expression_is_found_under_another_name() -> None:
    there = index("other", replace(column("x"), text="lower((name)::text)", column=None), predicate="(mail IS NULL)")
    drift, _ = read(TABLE, "CREATE INDEX i ON guests (lower(name)) WHERE mail IS NULL", actual=real(there))
    assert drift.absent[0].same_as == there


class TestWithoutTheParser:
    """Only the names are left."""

    @pytest.fixture(autouse=True)
    def no_parser(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dbvitals.collect.expected_tables", None)

    def test_an_index_of_the_name_is_enough(self) -> None:
        drift, (skipped,) = read(
            TABLE, "CREATE UNIQUE INDEX i ON guests (mail) WHERE id > 1", actual=real(index("i", column("name")))
        )
        assert not drift.drifted
        assert not drift.absent
        assert "by their names alone" in skipped.why
        assert "agente-hotelero[sql]" in skipped.mend

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE INDEX i ON guests (lower(name), id DESC) INCLUDE (mail) WHERE (id > 1)",
            'create unique index concurrently if not exists "i" on only public."guests" using btree (id);',
            "CREATE INDEX i\nON guests (id)\nWITH (fillfactor = 70)\nWHERE id IN (1, 2)",
        ],
    )
    def test_an_absent_one_is_found(self, statement: str) -> None:
        assert names(TABLE, statement) == ["i"]

    def test_what_an_absent_one_holds_is_kept_as_written(self) -> None:
        drift, _ = read(
            "CREATE UNIQUE INDEX i ON guests (lower(name), id DESC) INCLUDE (mail) WHERE id > 1", actual=real()
        )
        found: IndexInfo = drift.absent[0].index
        assert (found.unique, found.include, found.predicate) == (True, ("mail",), "id > 1")
        assert [key.text for key in found.keys] == ["lower(name), id DESC"]

    def test_another_statement_is_none(self) -> None:
        assert names("CREATE FUNCTION f() RETURNS int AS $$ CREATE INDEX i ON guests (id) $$ LANGUAGE sql") == []
