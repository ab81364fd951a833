"""The HTTP API: an adapter over `Engine` that decides nothing. Needs the extra `web`."""
