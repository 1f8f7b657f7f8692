"""What the project declares: loaded from where the config file points to."""

import importlib
import sys
from pathlib import Path

from dbvitals.cli.config_file import Config
from dbvitals.errors import UsageError
from dbvitals.expect import Expectations


def load_expectations(config: Config) -> Expectations | None:
    """Load the declared tables and indexes; None when the config names none.

    Raises UsageError when both sources are named, or when the one that is cannot be had.
    """
    if config.expectations and config.expected_sql:
        raise UsageError("the config file names expectations and expected_sql", mend="keep one of the two")
    if config.expectations:
        return _from_python(config.expectations)
    if config.expected_sql:
        return _from_sql(Path(config.expected_sql))
    return None


def _from_python(place: str) -> Expectations:
    module_name, separator, attribute = place.partition(":")
    if not (module_name and separator and attribute):
        raise UsageError(f"expectations = {place!r} is no place", mend="write module:attribute")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # somebody else's module is run here, and may raise anything
        detail = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"expectations = {place!r} cannot be imported: {detail}",
            mend="check the name, and run from the project's folder in its environment",
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(found, Expectations):
        kind = type(found).__name__
        raise UsageError(f"{place} is a {kind}", mend="it has to be a dbvitals.expect.Expectations")
    return found


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
