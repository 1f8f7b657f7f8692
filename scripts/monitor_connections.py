"""Connection monitor of the guide: hands over to `dbvitals connections` (see --help)."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the toolkit of the project's own environment, or the one on PATH; returns only when there is none."""
    own = ROOT / ".venv" / "bin" / "dbvitals"
    program = str(own) if os.access(own, os.X_OK) else shutil.which("dbvitals")
    if program is not None:
        os.execv(program, [program, "connections", *sys.argv[1:]])  # noqa: S606 -- that is what it is for
    line = f"monitor_connections.py: dbvitals is not installed; type: python3 {ROOT / 'dev.py'} setup"
    sys.stderr.write(line + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
