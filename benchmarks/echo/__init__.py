"""Echo servers: what a message costs a server. `part` says what is measured."""
