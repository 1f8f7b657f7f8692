"""What every layer of the service stands on: settings and identifiers."""
