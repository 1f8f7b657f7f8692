"""What the hotel declares to dbvitals (see `[tool.dbvitals]`): its models' tables and indexes."""

from app.db.ddl import functions
from app.db.tables import metadata
from dbvitals.expect import from_metadata

expectations = from_metadata(metadata, before=functions())
