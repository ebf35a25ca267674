"""A player made for tests: answers by a simple rule, remembers what it was asked, and can be started as a program."""

import sys
from typing import Any

from aiohttp import web

SEEN = web.AppKey("seen", list[tuple[str, Any]])  # what happened, in order: ("asked", body) or ("label", item)
HEADERS = web.AppKey("headers", list[dict[str, str]])
SULK = web.AppKey("sulk", list[str])  # paths that answer 500 for now, each entry once
SAYS = web.AppKey("says", dict[str, float])  # what stands in each answer beside the prediction


def make_player(sulk: list[str] | None = None) -> web.Application:
    """Return an application that speaks the default contract; each path in *sulk* fails as often as it stands there."""
    app = web.Application()
    app[SEEN], app[HEADERS], app[SULK] = [], [], list(sulk or [])
    app[SAYS] = {"proba": 0.5}
    app.router.add_post("/api", predict)
    app.router.add_post("/feedback", feedback)
    app.router.add_get("/health/ready", ready)
    return app


async def predict(request: web.Request) -> web.Response:
    """Answer 1, and 0 where the applicant paid late."""
    note(request)
    body = await request.json()
    request.app[SEEN].append(("asked", body))
    late = body["features"].get("late_payments")
    pred = 0 if isinstance(late, int) and late > 1 else 1
    answer = web.json_response({"pred": pred, **request.app[SAYS]})
    answer.set_cookie("player", "remembers")
    return answer


async def feedback(request: web.Request) -> web.Response:
    """Take a list of labels."""
    note(request)
    request.app[SEEN].extend([("label", item) for item in await request.json()])
    return web.json_response([])


async def ready(request: web.Request) -> web.Response:
    """Say that it is ready."""
    return web.json_response({"ready": True})


def note(request: web.Request) -> None:
    """Remember the headers; fail when the path is to be sulked at."""
    request.app[HEADERS].append(dict(request.headers))
    if request.path in request.app[SULK]:
        request.app[SULK].remove(request.path)
        raise web.HTTPInternalServerError


if __name__ == "__main__":
    web.run_app(make_player(), host="127.0.0.1", port=int(sys.argv[1]))
