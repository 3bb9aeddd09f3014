"""Starting: import time, and what a client costs to make. `part` says what is measured."""
