"""What an application lets know of itself: who holds a pooled connection, since when, and from which line."""
