"""Every rule of connections is documented, has its advice, and is named by a test; every threshold has its line."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from dbvitals.analyse.connection_advice import ADVICE
from dbvitals.analyse.connection_thresholds import ConnectionThresholds

ROOT = Path(__file__).resolve().parents[3]
RULE = re.compile(r"CON\d{3}")
SIZING = {"CON015"}
"""Its advice is made of figures; see pool_advice."""


def rules_in(folder: str) -> set[str]:
    files = (path for path in (ROOT / folder).rglob("*.py") if path.name != Path(__file__).name)
    return {rule for path in files for rule in RULE.findall(path.read_text(encoding="utf-8"))}


def test_every_rule_has_a_section_and_its_advice() -> None:
    documented = set(re.findall(r"^## (CON\d{3})$", (ROOT / "docs/rules.md").read_text(), flags=re.MULTILINE))
    assert documented == ADVICE.keys() | SIZING == rules_in("dbvitals/analyse")


@pytest.mark.parametrize("rule", sorted(ADVICE.keys() | SIZING))
def test_every_rule_is_named_by_a_test(rule: str) -> None:
    assert rule in rules_in("tests")


def test_every_threshold_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/connections.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text, flags=re.MULTILINE))
    defaults = {
        field.name: float(getattr(ConnectionThresholds(), field.name)) for field in fields(ConnectionThresholds)
    }
    assert {name: float(value) for name, value in documented.items()} == defaults
