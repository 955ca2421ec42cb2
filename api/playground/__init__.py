"""GraphiQL at `/`, for development: every file from this package, nothing from another origin."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

HERE = Path(__file__).parent

# ws: and wss: of this host and port are 'self' too
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
SAFETY = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FRESH = SAFETY | {"Cache-Control": "no-cache"}
SECRET = SAFETY | {"Cache-Control": "no-store"}


@dataclasses.dataclass(frozen=True)
class Tab:
    """An operation to begin with, and in whose name."""

    title: str
    query: str
    variables: Mapping[str, object] = dataclasses.field(default_factory=dict)
    token: str | None = dataclasses.field(default=None, repr=False)


def routes(tabs: Sequence[Tab]) -> list[BaseRoute]:
    """The page, its files, and its tabs. The tabs are read whenever the page opens, so tokens may be renewed."""

    async def page(_: Request) -> Response:
        return FileResponse(HERE / "index.html", headers=FRESH)

    async def prefilled(_: Request) -> Response:
        return JSONResponse([_document(tab) for tab in tabs], headers=SECRET)

    return [
        Route("/", page),
        Route("/playground/tabs.json", prefilled),
        Mount("/playground/static", _Files(directory=HERE / "static")),
    ]


def _document(tab: Tab) -> dict[str, object]:
    """A tab as the page reads it."""
    headers = {} if tab.token is None else {"Authorization": f"Bearer {tab.token}"}
    return {"title": tab.title, "query": tab.query, "variables": dict(tab.variables), "headers": headers}


class _Files(StaticFiles):
    """Static files that a browser asks after each time, and takes for nothing but what they say they are."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(FRESH)
        return response
