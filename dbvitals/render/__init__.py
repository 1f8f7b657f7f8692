"""Draws reports: first as a document of headings and tables, then for a terminal, in Markdown or in HTML."""
