"""What an event loop is left with."""

from tulip_net import current_context


def watched() -> int:
    """Return how many descriptors the loop watches, and how many threads it waits for."""
    stats = current_context().eventloop.stats()
    return stats.readers + stats.writers + stats.held
