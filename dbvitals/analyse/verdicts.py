"""Everything that is known of a database's indexes, judged once; the report and the findings are two views of it."""

from dataclasses import dataclass, replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.drift import Drift, compare
from dbvitals.analyse.foreign_keys import UnsupportedKey, find_unsupported
from dbvitals.analyse.index_semantics import Redundancy, find_redundant
from dbvitals.analyse.invalid import Invalid, find_invalid
from dbvitals.analyse.storage import Bloat, find_bloated
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.unused import Unused, find_unused
from dbvitals.analyse.workload import WorkloadNeed, find_needs, parser_available
from dbvitals.snapshot import IndexInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What each analysis found, already made consistent with the others."""

    catalog: Catalog
    thresholds: IndexThresholds
    drift: Drift
    unused: tuple[Unused, ...]
    redundant: tuple[Redundancy, ...]
    unsupported: tuple[UnsupportedKey, ...]
    needs: tuple[WorkloadNeed, ...]
    invalid: tuple[Invalid, ...]
    bloated: tuple[Bloat, ...]
    oversized: tuple[IndexInfo, ...]


def judge(catalog: Catalog, expected: Catalog | None, thresholds: IndexThresholds) -> Verdicts:
    """Run every analysis; an index that one of them keeps for another is not given away by the next."""
    drift = compare(catalog, expected) if expected else Drift()
    unused = find_unused(catalog, thresholds)
    leaving = frozenset(verdict.index.oid for verdict in unused if not verdict.kept_because)
    changing = frozenset(drifted.actual.oid for drifted in drift.drifted if drifted.changes_service)
    redundant = find_redundant(catalog, declared=drift.declared, leaving=leaving, changing=changing)
    planned = tuple(absent.index for absent in drift.absent)
    by_workload = find_needs(catalog, thresholds, planned) if catalog.snapshot.statements and parser_available() else ()
    return Verdicts(
        catalog=catalog,
        thresholds=thresholds,
        drift=drift,
        unused=_keeping(unused, redundant),
        redundant=redundant,
        unsupported=find_unsupported(catalog, planned),
        needs=by_workload,
        invalid=find_invalid(catalog),
        bloated=find_bloated(catalog, thresholds),
        oversized=_oversized(catalog, thresholds),
    )


def _keeping(unused: tuple[Unused, ...], redundant: tuple[Redundancy, ...]) -> tuple[Unused, ...]:
    """An unused index that stays for a duplicate of it takes over that one's work: it must not go as well."""
    keepers = {redundancy.kept.oid for redundancy in redundant}
    return tuple(
        replace(verdict, kept_because=(*verdict.kept_because, "serves_duplicate"))
        if verdict.index.oid in keepers
        else verdict
        for verdict in unused
    )


def _oversized(catalog: Catalog, thresholds: IndexThresholds) -> tuple[IndexInfo, ...]:
    large = (index for index in catalog.indexes if index.size_bytes > thresholds.oversized_bytes)
    return tuple(sorted(large, key=lambda index: (-index.size_bytes, index.schema, index.name)))
