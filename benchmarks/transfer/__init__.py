"""Large transfers: a gigabyte one way. `part` says what is measured."""
