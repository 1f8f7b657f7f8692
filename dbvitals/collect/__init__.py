"""Looking: reads servers into snapshots. Nothing here decides anything, and nothing writes to a server."""
