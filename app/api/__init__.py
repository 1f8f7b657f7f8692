"""The service over HTTP: routes, who may use them, what they take and what they answer."""
