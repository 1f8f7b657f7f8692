"""What the service does: each file one service, on the database layer and the core."""
