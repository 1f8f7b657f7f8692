"""${message}"""

from alembic import op

from app.migrations import steps

revision = "${up_revision}"
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """${message}"""
    steps.set_timeouts()
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Take it back."""
    steps.set_timeouts()
    ${downgrades if downgrades else "raise NotImplementedError"}
