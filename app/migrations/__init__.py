"""Migrations of the hotel's database (Alembic)."""
