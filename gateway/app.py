"""create_app(): every route of the web process, what stands before it, and what it needs while it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute

from gateway import console, explorer, health, problems
from gateway.admission import Admission
from gateway.auth import Authenticator, environment, session_token
from gateway.console import Console
from gateway.content import ContentFiles
from gateway.docs import Reference
from gateway.downloads import Downloads
from gateway.explorer import Assets
from gateway.graphql import GraphQLEndpoint, SetCookie
from gateway.headers import StandardHeaders
from gateway.limits import Limiter
from gateway.oauth import TokenEndpoint
from gateway.operations import Timing
from gateway.persisted import Persisted, Trusted
from gateway.pricing import Limits
from gateway.progress import Progress
from gateway.settings import Settings
from gateway.share import SharePages
from gateway.telemetry import Collector
from gateway.traffic import RequestLog
from gateway.uploads import Uploads
from schema import schema
from schema.context import Context, Principal
from schema.loaders import Loaders
from storage import people
from storage.blobs import Blobs
from storage.database import Database
from storage.notify import Bell, Bells, RedisBells
from storage.presign import Presigner
from storage.sealing import Sealer

HERE = Path(__file__).parent


class Application(Starlette):
    """The web process; `graphql` is at hand for whoever stops it."""

    graphql: GraphQLEndpoint


def create_app(settings: Settings) -> Application:
    """The whole web process."""
    bells = RedisBells(settings.shared_redis_url)
    database = Database(settings.database_url, bells)
    sealer = Sealer(settings.secret_keys)
    blobs = Blobs(settings.blob_url)
    presigner = Presigner(settings.secret_keys)
    downloads = Downloads(database, blobs, presigner)
    uploads = Uploads(database, blobs, presigner, max(settings.max_zip_bytes, settings.max_file_bytes))
    files = ContentFiles(database, blobs, presigner, secure=settings.secure)
    authenticate = Authenticator(database, settings)
    progress = Progress(database, blobs, authenticate, settings.public_url)
    limiter = Limiter(settings.shared_redis_url)
    admission = Admission(limiter, settings.login_per_minute)
    shares = SharePages(database, admission)
    persisted = Persisted(settings.redis_url)

    def make_context(principal: Principal | None, connection: HTTPConnection, key: str | None) -> Context:
        return Context(
            principal=principal,
            database=database,
            sealer=sealer,
            settings=settings,
            loaders=Loaders(database, blobs, principal),
            budget_of=admission.budget_of,
            environment=principal.environment if principal else environment(connection.headers.get("x-environment")),
            idempotency_key=key,
            session_token=session_token(connection, principal),
        )

    trusted = Trusted.read(settings.trusted_documents, console.documents()) if settings.trusted_documents else None
    explores = settings.graphiql and settings.introspection and not trusted  # it could not ask anything
    graphql = GraphQLEndpoint(
        schema,
        authenticate=authenticate,
        make_context=make_context,
        set_cookie=_cookies(settings),
        admit=admission,
        revalidate=authenticate.still_valid,
        page=explorer.show if explores else None,
        source=trusted or persisted,
        profile=settings.http_profile,
        timing=Timing(query=settings.query_seconds, mutation=settings.mutation_seconds, event=settings.query_seconds),
        limits=Limits(depth=settings.max_depth, root_fields=settings.max_root_fields, cost=settings.max_cost),
        max_body_bytes=settings.max_body_bytes,
        max_streams=settings.max_streams,
        introspection=settings.introspection,
    )

    if trusted:
        trusted.check(graphql.load)

    spans = Collector(settings.otlp_url) if settings.otlp_url else None
    links = {"/graphql": "Explorer"} if explores else {}
    if settings.introspection:
        links |= {"/docs": "Reference", "/docs/events": "Events", "/schema.graphql": "SDL"}
    reference = Reference(schema, links)
    documentation = [
        Route("/schema.graphql", reference.sdl),
        Route("/docs", reference.show),
        Route("/docs/events", reference.events),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as running:
            if spans:
                running.push_async_callback(spans.close)
            await running.enter_async_context(bells.connected())
            running.push_async_callback(database.dispose)
            running.push_async_callback(limiter.close)
            running.push_async_callback(persisted.close)
            watching = asyncio.create_task(_watch_credentials(bells, graphql))
            running.callback(watching.cancel)
            yield

    entrance = Route("/session/{code}", files.enter)
    entrance.methods = {"GET"}  # looking ahead with HEAD must not use the address up

    app = Application(
        routes=[
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", graphql),
            *(documentation if settings.introspection else []),
            Route("/", Console(links).show),
            Route("/oauth/token", TokenEndpoint(database, settings, admission).show, methods=["POST"]),
            Route("/share/test/{code}", shares.hand_in, methods=["POST"]),
            Route("/share/{type}/{code}", shares.show, methods=["GET"]),
            Route("/downloads/{code}", downloads.show, methods=["GET"]),
            Route("/uploads/{code}", uploads.receive, methods=["PUT"]),
            Route("/api/v1/progress/{job_id}", progress.show, methods=["GET"]),
            entrance,
            Route("/content/{item_id}/{path:file}", files.show, methods=["GET"]),
            Route("/healthz", health.alive),
            Route("/readyz", health.Readiness(database, blobs, settings.redis_url, graphql).show),
            *([Route("/metrics", health.Figures(graphql, database).show)] if settings.metrics else []),
            Mount("/static", Assets(directory=HERE / "static")),
        ],
        middleware=[Middleware(StandardHeaders, secure=settings.secure), Middleware(RequestLog, spans=spans)],
        exception_handlers={HTTPException: problems.from_exception},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.graphql = graphql
    return app


async def _watch_credentials(bells: Bells, graphql: GraphQLEndpoint) -> None:
    """Whenever a credential was revoked, here or by another process, close what it has open here."""
    with bells.listening(Bell.CREDENTIALS) as rung:
        while True:
            await rung.wait()
            rung.clear()
            await graphql.recheck()


def _cookies(settings: Settings) -> SetCookie:
    def set_cookie(response: Response, name: str, value: str | None) -> None:
        if value is None:
            response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=settings.secure)
        else:
            seconds = int(people.SESSION_TIME.total_seconds())
            response.set_cookie(
                name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=settings.secure
            )

    return set_cookie
