"""The headers of every answer: what browsers must never do with it, and which request it answers."""

from flask import Response

from player.logging_config import one_line, request_id

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def add_headers(response: Response) -> Response:
    """Tell browsers what this site never does, and everybody which request this was."""
    response.headers.extend(SECURITY_HEADERS)
    # A header holds no other letters, and an id may be in any script.
    response.headers["X-Request-ID"] = one_line(request_id.get()).encode("ascii", "backslashreplace").decode()
    return response
