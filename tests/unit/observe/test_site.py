"""Which frames are the application's, and how they are called."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dbvitals.observe import site
from dbvitals.observe.site import CodeSites, Frame, current_flow

HERE = "tests/unit/observe/test_site.py"


def run_as(module: str, file: str, body: str, call: Callable[[], tuple[Frame, ...]]) -> tuple[Frame, ...]:
    """Run code as if it stood in a module of this name and file."""
    made = ModuleType(module)
    made.__dict__["call"] = call
    exec(compile(body, file, "exec"), made.__dict__)  # noqa: S102
    found = made.__dict__["run"]()
    assert isinstance(found, tuple)
    return found


BODY = "def run():\n    return call()\n"


def test_this_very_function_is_found() -> None:
    (own, *_) = CodeSites().find()
    assert own.file == HERE
    assert own.function == "test_this_very_function_is_found"
    assert str(own) == f"{HERE}:{own.line} {own.function}"


@pytest.mark.parametrize(
    ("module", "file", "shown"),
    [
        ("app.services.leases", "/srv/secret/app/services/leases.py", "app/services/leases.py:2 run"),
        ("app.services", "/srv/secret/app/services/__init__.py", "app/services/__init__.py:2 run"),
        ("main", "/srv/secret/main.py", "main.py:2 run"),
        ("app.x", "/venv/lib/python3.11/site-packages/app/x.py", "app/x.py:2 run"),
        ("made.up", "<string>", "<string>:2 run"),
        ("app.'; DROP\n<script>", "/srv/app/'; DROP\n<script>.py", "app/'; DROP\n<script>.py:2 run"),
    ],
)
def test_a_file_is_named_from_its_package_on(module: str, file: str, shown: str) -> None:
    packages = ("app", "made", "main")
    (found, *_) = run_as(module, file, BODY, CodeSites(packages).find)
    assert str(found) == shown


def test_a_module_started_by_name_keeps_its_name() -> None:
    code = "from importlib.machinery import ModuleSpec\n__spec__ = ModuleSpec('app.worker', None)\n" + BODY
    (found, *_) = run_as("__main__", "/srv/app/worker.py", code, CodeSites(("app",)).find)
    assert (found.file, found.line) == ("app/worker.py", 4)


def test_libraries_plumbing_and_sqlalchemy_are_passed_over() -> None:
    sites = CodeSites(plumbing=("app.core.database", "tests"))
    inside = [
        ("sqlalchemy.pool.base", "/venv/lib/python3.11/site-packages/sqlalchemy/pool/base.py"),
        ("app.core.database", "/srv/app/core/database.py"),
        ("contextlib", "/usr/lib/python3.11/contextlib.py"),
        ("somelib.pools", "/venv/lib/python3.11/site-packages/somelib/pools.py"),
        ("app.services.leases", "/srv/app/services/leases.py"),
        ("starlette.routing", "/venv/lib/python3.11/site-packages/starlette/routing.py"),
        ("app.api.holds", "/srv/app/api/holds.py"),
    ]

    def descend(depth: int) -> tuple[Frame, ...]:
        if depth == 0:
            return sites.find()
        return run_as(*inside[depth - 1], BODY, lambda: descend(depth - 1))

    assert [frame.file for frame in descend(len(inside))][:2] == ["app/services/leases.py", "app/api/holds.py"]


def test_without_any_code_of_the_application_the_library_is_named() -> None:
    sites = CodeSites(("elsewhere",))
    library = "/venv/lib/python3.11/site-packages/somelib/jobs.py"
    assert run_as("somelib.jobs", library, BODY, sites.find) == (Frame("somelib/jobs.py", 2, "run"),)


def test_the_chain_of_callers_is_bounded() -> None:
    def descend(depth: int) -> tuple[Frame, ...]:
        return descend(depth - 1) if depth else CodeSites(("tests",)).find()

    assert len(descend(200)) == 1 + site.MOST_CALLERS


def test_ever_new_files_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "MOST_FILES", 20)
    sites = CodeSites()
    for number in range(100):
        run_as("made", f"<made {number}>", BODY, sites.find)
    assert len(sites._places) <= 21


def test_the_standard_library_is_not_the_application() -> None:
    file = str(Path(threading.__file__))
    found = run_as("threading", file, BODY, CodeSites().find)
    assert "threading.py" not in {frame.file for frame in found}


def test_without_greenlets_threads_tell_flows_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "getcurrent", None)
    assert current_flow() == threading.get_ident()
    (own, *_) = CodeSites().find()
    assert own.function == sys._getframe().f_code.co_name
