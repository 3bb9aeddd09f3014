"""The tests: a folder for each layer, ``stack`` for the repository, ``downstream`` for its users.

``guards`` holds what watches over every test, ``opponents`` the real programs and libraries that
the tests run against. A package, so that nothing else by the name of ``tests`` can take its place.
"""
