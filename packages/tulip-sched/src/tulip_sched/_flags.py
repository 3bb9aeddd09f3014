"""The flags of code objects that we look at.

`inspect` has them too, and costs 7 ms to import; a test compares. Source: the same names in
CPython's ``Include/cpython/code.h``.
"""

from typing import Final

CO_GENERATOR: Final = 0x20
CO_COROUTINE: Final = 0x80
CO_ITERABLE_COROUTINE: Final = 0x100
CO_ASYNC_GENERATOR: Final = 0x200
