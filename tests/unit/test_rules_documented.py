"""Every rule is documented, has a category for the guide's recommendations, and is named by a test."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from dbvitals.analyse.recommend import CATEGORIES
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.unused import KEEPING_REASONS

ROOT = Path(__file__).resolve().parents[2]
RULE = re.compile(r"IDX\d{3}")


def _rules_in(*folders: str) -> set[str]:
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name != Path(__file__).name)
    return {rule for path in files for rule in RULE.findall(path.read_text(encoding="utf-8"))}


def test_every_rule_has_a_section_and_a_category() -> None:
    documented = set(re.findall(r"^## (IDX\d{3})$", (ROOT / "docs/rules.md").read_text(), flags=re.MULTILINE))
    assert documented == CATEGORIES.keys() == _rules_in("dbvitals/analyse")


@pytest.mark.parametrize("rule", sorted(CATEGORIES))
def test_every_rule_is_named_by_a_test(rule: str) -> None:
    assert rule in _rules_in("tests")


def test_every_reason_to_keep_an_index_is_documented() -> None:
    text = (ROOT / "docs/rules.md").read_text()
    assert [reason for reason in KEEPING_REASONS if f"`{reason}`" not in text] == []


def test_every_threshold_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text, flags=re.MULTILINE))
    defaults = {field.name: float(getattr(IndexThresholds(), field.name)) for field in fields(IndexThresholds)}
    assert {name: float(value) for name, value in documented.items()} == defaults
