"""The hotel's database: models, the functions and triggers that belong to them, and their migrations."""
