"""dbvitals: reads a PostgreSQL or a Redis, says what ails it, and shows the evidence. It never writes to either."""

__version__ = "0.1.0"
