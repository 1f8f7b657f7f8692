"""What the project declares: loaded from where the config file points to."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dbvitals.cli.config_file import Config
from dbvitals.errors import UsageError
from dbvitals.expect import Expectations, KeyFamily


def load_expectations(config: Config) -> Expectations | None:
    """Load the declared tables and indexes; None when the config names none.

    Raises UsageError when both sources are named, or when the one that is cannot be had.
    """
    _check_one_source(config)
    if config.expectations:
        found = _from_python(config.expectations)
        with _one_line(config.expectations):
            found = replace(found, ddl=found.statements, lazy_ddl=None)
        return found if found.ddl else None
    return _from_sql(Path(config.expected_sql)) if config.expected_sql else None


def load_families(config: Config) -> tuple[KeyFamily, ...]:
    """Load the declared families of keys. Raises UsageError when what the config names cannot be had."""
    _check_one_source(config)
    if not config.expectations:
        return ()
    families = _from_python(config.expectations).families
    if strange := next((one for one in families if not isinstance(one, KeyFamily)), None):
        raise UsageError(
            f"{config.expectations} declares a {type(strange).__name__} as a family of keys",
            mend="it has to be a dbvitals.expect.KeyFamily",
        )
    patterns = [family.pattern for family in families]
    if twice := next((pattern for pattern in patterns if patterns.count(pattern) > 1), None):
        raise UsageError(f"{config.expectations} declares {twice!r} twice", mend="keep one of the two")
    return families


def _check_one_source(config: Config) -> None:
    if config.expectations and config.expected_sql:
        raise UsageError("the config file names expectations and expected_sql", mend="keep one of the two")


def _from_python(place: str) -> Expectations:
    module_name, separator, attribute = place.partition(":")
    if not (module_name and separator and attribute):
        raise UsageError(f"expectations = {place!r} is no place", mend="write module:attribute")
    with _one_line(place):
        found = getattr(importlib.import_module(module_name), attribute)
    if not isinstance(found, Expectations):
        kind = type(found).__name__
        raise UsageError(f"{place} is a {kind}", mend="it has to be a dbvitals.expect.Expectations")
    return found


@contextlib.contextmanager
def _one_line(place: str) -> Iterator[None]:
    """Run what the project wrote, from its folder; whatever it raises becomes a UsageError."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    except Exception as error:  # somebody else's module is run here, and may raise anything
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(
            f"expectations = {place!r} cannot be imported: {detail}",
            mend="check the name, and run from the project's folder in its environment",
        ) from error
    finally:
        sys.path.remove(folder)


def _from_sql(path: Path) -> Expectations:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"expected_sql = {str(path)!r} cannot be read: {error.strerror}", mend="check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"expected_sql = {str(path)!r} is not UTF-8 text", mend="save it as UTF-8") from error
    return Expectations(ddl=(text,))
