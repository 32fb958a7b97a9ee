"""The floor of serving: the smallest FastAPI application, under the server and settings of ``nextoffer serve``.

``/`` returns a ready response, the least that the framework can do; ``/dict`` is the one of FastAPI's own first page.
"""

import sys

import uvicorn
from fastapi import FastAPI, Response

from service.base.settings import Settings
from service.server.app import NO_TRACING
from service.server.serving import prepare_process, server_options

app = FastAPI(openapi_url=None, telemetry=NO_TRACING)  # type: ignore[arg-type]


@app.get("/")
async def hello() -> Response:
    return Response(b'{"message":"Hello World"}', media_type="application/json")


@app.post("/")
async def hello_post() -> Response:
    return Response(b'{"message":"Hello World"}', media_type="application/json")


@app.get("/dict")
async def hello_dict():  # type: ignore[no-untyped-def]
    return {"message": "Hello World"}


if __name__ == "__main__":
    settings = Settings()
    prepare_process(settings)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), **server_options(settings))
