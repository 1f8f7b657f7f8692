"""Which of several indexes stays, and that never all of them go."""

from hypothesis import given
from hypothesis import strategies as st

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import find_redundant, serves
from dbvitals.snapshot import IndexConstraint, IndexInfo
from tests.unit.analyse.builders import index, key, snapshot, table


def going(*indexes: IndexInfo, **options: frozenset[object]) -> dict[str, str]:
    tables = {i.table_oid: table(oid=i.table_oid) for i in indexes}
    catalog = Catalog(snapshot(*tables.values(), *indexes))
    return {r.index.name: r.kept.name for r in find_redundant(catalog, **options)}  # type: ignore[arg-type]


def test_of_three_equals_one_stays() -> None:
    t = table()
    assert going(index(t, "c", "a"), index(t, "a", "a"), index(t, "b", "a")) == {"b": "a", "c": "a"}


def test_a_chain_ends_at_the_widest() -> None:
    t = table()
    found = going(index(t, "i1", "a"), index(t, "i2", "a", "b"), index(t, "i3", "a", "b", "c"))
    assert found == {"i1": "i3", "i2": "i3"}


def test_the_declared_one_of_two_equals_stays() -> None:
    t = table()
    twins = (index(t, "aaa", "a"), index(t, "zzz", "a"))
    assert going(*twins) == {"zzz": "aaa"}
    assert going(*twins, declared=frozenset({("public", "zzz")})) == {"aaa": "zzz"}


def test_the_name_by_the_convention_stays() -> None:
    t = table()
    assert going(index(t, "aaa", "a"), index(t, "idx_t_a", "a")) == {"aaa": "idx_t_a"}


def test_an_index_that_goes_for_another_reason_holds_up_nothing_but_its_twin() -> None:
    t = table()
    narrow, wide = index(t, "narrow", "a"), index(t, "wide", "a", "b")
    assert going(narrow, wide) == {"narrow": "wide"}
    assert going(narrow, wide, leaving=frozenset({wide.oid})) == {}
    twin = index(t, "twin", "a")
    assert going(narrow, twin, leaving=frozenset({narrow.oid, twin.oid})) == {"narrow": "twin"}


def test_a_second_unique_constraint_goes_before_the_primary_key() -> None:
    t = table()
    primary = index(t, "t_pkey", "a", unique=True, constraint=IndexConstraint(name="t_pkey", type="primary"))
    second = index(t, "t_a_key", "a", unique=True, constraint=IndexConstraint(name="t_a_key", type="unique"))
    assert going(primary, second) == {"t_a_key": "t_pkey"}
    referenced = index(
        t,
        "t_b_key",
        "a",
        unique=True,
        constraint=IndexConstraint(name="t_b_key", type="unique"),
        referenced_by=("public.c.fk",),
    )
    assert going(primary, referenced) == {}


def test_an_unread_index_is_not_judged() -> None:
    t = table()
    assert going(index(t, "i1", "a", texts_known=False), index(t, "i2", "a")) == {}


columns = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
shapes = st.tuples(columns, st.booleans(), st.booleans(), st.sampled_from([None, "(a > 0)"]))


@given(st.lists(shapes, min_size=1, max_size=7))
def test_whatever_goes_is_served_by_something_that_stays(drawn: list[tuple[list[str], bool, bool, str | None]]) -> None:
    t = table()
    indexes = {
        f"i{number}": index(
            t,
            f"i{number}",
            *(key(name, descending=turned, nulls_first=turned) for name in names),
            unique=unique,
            predicate=predicate,
        )
        for number, (names, turned, unique, predicate) in enumerate(drawn)
    }
    found = going(*indexes.values())
    for gone, kept in found.items():
        assert kept not in found
        assert serves(indexes[kept], indexes[gone], t)
    for name, one in indexes.items():
        others = (other for other_name, other in indexes.items() if other_name not in found and other_name != name)
        if name not in found:
            assert not any(serves(other, one, t) for other in others)


@given(st.lists(shapes, min_size=3, max_size=3))
def test_serving_is_transitive(drawn: list[tuple[list[str], bool, bool, str | None]]) -> None:
    t = table()
    a, b, c = (
        index(t, "i", *(key(n, descending=d, nulls_first=d) for n in names), unique=unique, predicate=predicate)
        for names, d, unique, predicate in drawn
    )
    if serves(a, b, t) and serves(b, c, t):
        assert serves(a, c, t)
