"""What a text must be like to be stored."""

from app.core.errors import Invalid
from app.services.security.events import UNSTORABLE


def check_text(name: str, value: str, longest: int) -> None:
    """Raise Invalid for a text that is empty, too long, or has characters that PostgreSQL cannot store."""
    if not 1 <= len(value) <= longest:
        raise Invalid(f"{name} must have 1 to {longest} characters")
    if UNSTORABLE.search(value):
        raise Invalid(f"{name} has characters that cannot be stored")
