"""The HTTP client: its wire protocol on bytes, and the client against real servers."""
