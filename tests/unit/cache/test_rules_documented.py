"""Every rule, threshold, option and script is documented, and every rule has its test."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from dbvitals.analyse.keyspace_recommend import CACHE_CATEGORIES
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.cli.cache import cache

ROOT = Path(__file__).resolve().parents[3]
RULE = re.compile(r"RED\d{3}")


def _rules_in(*places: str) -> set[str]:
    files = [path for place in places for path in sorted((ROOT / place).glob("**/*.py"))]
    return {rule for path in files for rule in RULE.findall(path.read_text(encoding="utf-8"))}


def test_every_rule_is_documented_and_has_a_category() -> None:
    documented = set(re.findall(r"^## (RED\d{3})$", (ROOT / "docs/rules.md").read_text(), flags=re.MULTILINE))
    assert documented == CACHE_CATEGORIES.keys() == _rules_in("dbvitals/analyse")


def test_every_rule_is_named_by_a_test() -> None:
    tests = Path(__file__).parent.glob("test_rules_*.py")
    named = {rule for path in tests for rule in RULE.findall(path.read_text(encoding="utf-8"))}
    assert named == CACHE_CATEGORIES.keys()


def test_every_threshold_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/cache.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text, flags=re.MULTILINE))
    defaults = {field.name: float(getattr(CacheThresholds(), field.name)) for field in fields(CacheThresholds)}
    assert {name: float(value) for name, value in documented.items()} == defaults


def test_every_option_and_variable_is_documented() -> None:
    text = (ROOT / "docs/cache.md").read_text()
    options = {max(option.opts, key=len) for option in cache.params}
    everywhere = {"--connect-timeout", "--lock-timeout", "--version"}
    assert sorted(option for option in options - everywhere if f"`{option}" not in text) == []
    source = (ROOT / "dbvitals/settings_redis.py").read_text()
    variables = set(re.findall(r'"(REDIS_[A-Z_]+)"', source))
    assert sorted(variable for variable in variables if f"`{variable}`" not in text) == []


@pytest.mark.parametrize("path", sorted((ROOT / "dbvitals/collect/lua").glob("*.lua")), ids=lambda path: path.name)
def test_every_script_for_the_server_has_its_header_and_writes_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^-- (what|since|right|cost): ", text, flags=re.MULTILINE) == ["what", "since", "right", "cost"]
    commands = set(re.findall(r"ask\('(\w+)'", text)) | set(re.findall(r'ask\("(\w+)"', text))
    assert commands == {"TIME", "TYPE", "OBJECT", "HRANDFIELD", "HPTTL", "PTTL", "MEMORY", "SCAN"}
