"""How many traps there are, so that none is lost unnoticed."""

from tests.integration.traps.suite import DROPPABLE, FOREIGN_KEYS, KEPT, REDUNDANCY


def test_no_trap_is_lost() -> None:
    assert len(REDUNDANCY) >= 165
    assert len(FOREIGN_KEYS) >= 60
    assert len(KEPT) >= 26
    assert len(DROPPABLE) >= 6


def test_every_trap_has_a_name_of_its_own() -> None:
    for kind in (REDUNDANCY, FOREIGN_KEYS, (*KEPT, *DROPPABLE)):
        names = [trap.name for trap in kind]
        assert len(names) == len(set(names))
        assert all(len(name.encode()) <= 63 for name in names)
