"""Cache analysis of the guide: hands over to `dbvitals cache` (see --help)."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def main() -> NoReturn:
    """Become the toolkit of the project's own environment, or the one on PATH."""
    own = ROOT / ".venv" / "bin" / "dbvitals"
    program = str(own) if os.access(own, os.X_OK) else shutil.which("dbvitals")
    if program is None:
        sys.stderr.write(f"analyze_redis_cache.py: dbvitals is not installed; type: python3 {ROOT}/dev.py setup\n")
        sys.exit(2)
    os.execv(program, [program, "cache", *sys.argv[1:]])  # noqa: S606 - a program of ours, with the user's arguments


if __name__ == "__main__":
    main()
