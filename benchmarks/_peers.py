"""Programs that ours are measured beside: fetched from PyPI into a folder that goes with the measurement."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def packages(*requirements: str) -> Iterator[Path]:
    """A folder with these packages, without what they depend on."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *requirements]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield Path(folder)
