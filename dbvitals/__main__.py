"""`python -m dbvitals` is `dbvitals`."""

import sys

from dbvitals.cli import main

sys.exit(main())
