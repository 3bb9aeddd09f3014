"""Accepting: what a connection costs a server. `part` says what is measured."""
