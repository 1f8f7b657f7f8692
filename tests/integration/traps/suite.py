"""All traps, by kind."""

from tests.integration.traps import (
    cases_btree,
    cases_classes,
    cases_columns,
    cases_constraints,
    cases_foreign_keys,
    cases_foreign_keys_more,
    cases_kept,
    cases_methods,
    cases_names,
    cases_partial,
    cases_structure,
    cases_unique,
)
from tests.integration.traps.case import ForeignKeyCase, KeptCase, RedundancyCase, Trap

REDUNDANCY: tuple[RedundancyCase, ...] = (
    *cases_btree.CASES,
    *cases_classes.CASES,
    *cases_columns.CASES,
    *cases_names.CASES,
    *cases_unique.CASES,
    *cases_constraints.CASES,
    *cases_partial.CASES,
    *cases_methods.CASES,
    *cases_structure.CASES,
)
FOREIGN_KEYS: tuple[ForeignKeyCase, ...] = (*cases_foreign_keys.CASES, *cases_foreign_keys_more.CASES)
KEPT: tuple[KeptCase, ...] = cases_kept.CASES
DROPPABLE: tuple[Trap, ...] = cases_kept.DROPPABLE
