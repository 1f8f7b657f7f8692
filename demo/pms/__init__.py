"""A property management system for demonstrations and tests: a real HTTP server whose faults can be dialled."""
