"""A body read as JSON, and the error for one that is none.

Apart from `_errors`, so that importing this layer does not import `json`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, final

from tulip_http._errors import DecodingError
from tulip_http._failures import name
from tulip_http._typing import override

if TYPE_CHECKING:
    from tulip_http._request import Request


@final
class JSONDecodeError(DecodingError, json.JSONDecodeError):
    """The body is not JSON: an error of ours, and the standard library's own.

    Attributes:
        msg, doc, pos, lineno, colno: As `json.JSONDecodeError` has them.
    """

    def __init__(self, message: str, doc: str, pos: int) -> None:
        json.JSONDecodeError.__init__(self, message, doc, pos)
        self.request: Request | None = None
        self.safe_to_repeat = False

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.msg, self.doc, self.pos), vars(self)

    @override
    def __str__(self) -> str:
        return f"the body of the answer to {name(self.request)} is not JSON: {self.args[0]}"


def load(content: bytes, request: Request, options: dict[str, Any]) -> Any:
    """Return the value of a body.

    Raises:
        JSONDecodeError: It has none.
    """
    try:
        return json.loads(content, **options)
    except json.JSONDecodeError as error:
        message = error.msg if content else "it is empty"
        raise _carrying(JSONDecodeError(message, error.doc, error.pos), request) from error
    except UnicodeDecodeError as error:
        doc = content.decode("latin-1")  # so that positions are those of the bytes
        raise _carrying(JSONDecodeError(str(error), doc, error.start), request) from error
    except RecursionError as error:
        doc = content.decode(errors="replace")
        raise _carrying(JSONDecodeError("it is nested too deeply", doc, 0), request) from error
    except ValueError as error:  # an integer beyond what Python converts (4300 digits)
        doc = content.decode(errors="replace")
        raise _carrying(JSONDecodeError(str(error), doc, 0), request) from error


def _carrying(error: JSONDecodeError, request: Request) -> JSONDecodeError:
    error.request = request
    return error
