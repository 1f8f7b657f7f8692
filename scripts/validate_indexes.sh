#!/bin/sh
# Index analysis of the guide: hands over to `dbvitals indexes` (see --help).
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 2
if [ -x "$root/.venv/bin/dbvitals" ]; then
    exec "$root/.venv/bin/dbvitals" indexes "$@"
elif command -v dbvitals >/dev/null 2>&1; then
    exec dbvitals indexes "$@"
fi
echo "validate_indexes.sh: dbvitals is not installed; type: python3 $root/dev.py setup" >&2
exit 2
