"""Thinking: snapshots in, findings and reports out. Nothing here reads a clock, a file or a server."""
