"""The web process: routes, credentials, GraphQL over HTTP, and the `lectern` command."""
