"""The services that `serving.py` compares a player with: the same model, as each framework's first page shows it.

Run as a program in a generated project: `peers.py NAME PORT`. None of them writes a log line or keeps a row. `hello` is
the player's own server around an application that does nothing at all.
"""

import asyncio
import json
import multiprocessing
import pickle
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import litserve
import pandas as pd
import uvicorn
from fastapi import FastAPI
from flask import Flask
from player.config import load_settings
from player.serving import worker
from pydantic import BaseModel

WORKERS = 2


def load() -> tuple[Any, list[str]]:
    """Return the pipeline of the project's current model, and the names of its features."""
    folder = Path("models/development")
    version = json.loads((folder / "current.json").read_text(encoding="utf-8"))["current"]
    manifest = json.loads((folder / f"{version}.json").read_text(encoding="utf-8"))
    names = [feature["name"] for feature in manifest["schema"]["features"]]
    return pickle.loads((folder / f"{version}.pkl").read_bytes()), names  # noqa: S301 - the project has just trained it


def answer(pipeline: Any, names: list[str], request_id: str, features: dict[str, Any]) -> dict[str, Any]:
    """Return what a handler written by hand answers to one row."""
    proba = float(pipeline.predict_proba(pd.DataFrame([features], columns=names))[0, 1])
    return {"request_id": request_id, "pred": int(proba > 0.5), "proba": proba}


class Asked(BaseModel):
    """What FastAPI checks of a request."""

    request_id: str
    features: dict[str, float | str | None]


def fastapi() -> FastAPI:
    """Return the application that FastAPI's tutorial leads to."""
    pipeline, names = load()
    app = FastAPI()

    @app.post("/api")  # type: ignore[untyped-decorator]
    def predict(asked: Asked) -> dict[str, Any]:
        """Answer one row."""
        return answer(pipeline, names, asked.request_id, asked.features)

    return app


class Api(litserve.LitAPI):  # type: ignore[misc]
    """What LitServe's first page shows: one row in, one answer out."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.pipeline, self.names = load()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hand on all of it."""
        return request

    def predict(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one row."""
        return answer(self.pipeline, self.names, asked["request_id"], asked["features"])

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Hand on all of it."""
        return output


def serve_litserve(port: int) -> None:
    """Serve with LitServe."""
    server = litserve.LitServer(Api(api_path="/api"), accelerator="cpu", workers_per_device=WORKERS)
    server.run(port=port, num_api_servers=WORKERS, generate_client_file=False, log_level="error")


def serve_hello(port: int) -> None:
    """Serve an application that does nothing, in the player's own server."""
    context = multiprocessing.get_context("fork")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        workers = [context.Process(target=work, args=(sock,), daemon=True) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join()


def work(sock: socket.socket) -> None:
    """Be one of the processes of `serve_hello`."""
    app = Flask("hello")
    app.post("/api")(lambda: {"hello": "world"})
    wire, _ = multiprocessing.Pipe()
    asyncio.run(worker.serve(app, load_settings("development"), sock, wire, threading.Event()))


def main() -> None:
    """Serve what is asked for until the process is ended."""
    name, port = sys.argv[1], int(sys.argv[2])
    if name == "fastapi":
        sys.path.insert(0, str(Path(__file__).parent))
        uvicorn.run("peers:fastapi", factory=True, port=port, workers=WORKERS, log_level="error", access_log=False)
    else:
        {"litserve": serve_litserve, "hello": serve_hello}[name](port)


if __name__ == "__main__":
    main()
