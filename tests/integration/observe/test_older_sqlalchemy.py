"""Everything again with SQLAlchemy 2.0, which is put before the one that is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OLDER = "sqlalchemy~=2.0.36"
# All of two modules once more, on a machine that may have other things to do.
PATIENCE = 900
HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the older release alone; what it needs is there already."""
    folder = tmp_path_factory.mktemp("older")
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command = [*pip, "--quiet", "--no-deps", f"--target={folder}", OLDER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"{OLDER} cannot be had: {' '.join(done.stderr.split())[-300:]}")
    return folder


def _python(older: Path, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(older), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(PATIENCE + 200)
def test_all_that_is_observed_is_observed_of_2_0_too(older: Path) -> None:
    assert _python(older, "-c", "import sqlalchemy; print(sqlalchemy.__version__)").startswith("2.0.")
    tests = [HERE / name for name in ("test_async_pool.py", "test_storm.py", "test_sync_pool.py")]
    told = _python(older, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "pg18", *tests)
    assert " passed" in told
    assert "skipped" not in told
