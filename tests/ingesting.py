"""A client of content: announces packages, uploads them, waits, and reads what came of them."""

from dataclasses import dataclass
from typing import Any

import httpx
from sqlmodel import select

from storage import credentials, tokens
from storage.tables import Environment, Scope, Workspace
from tests.packages.builders import (
    ARTICLE,
    CASE,
    CASE_2,
    PAGE,
    STIMULUS,
    cartridge,
    item,
    lom,
    package,
    place,
    qti3,
    resource,
    standards,
    stimulus,
)
from tests.world import World, eventually

ZIP = {"Content-Type": "application/zip"}
READ, WRITE = Scope.CONTENT_READ, Scope.CONTENT_WRITE

CREATE = """mutation ($input: CreateIngestUploadInput!) {
  createIngestUpload(input: $input) {
    job { id kind status state createdAt uploadExpiresAt itemCount zipFileSize sequence }
    uploadUrl expiresAt replayed errors { code message path rule }
  }
}"""
JOB = """query ($id: ID!) {
  ingestionJob(jobId: $id) {
    id status state attempt lastUpdated error { code message } warnings { code message subject }
    progress { percent phase completedUnits failedUnits totalUnits }
    cancelable retryable packageType packageIdentifier itemCount zipFileSize
    itemStatuses(first: 100) {
      totalCount
      nodes { itemId status message errorCode lastUpdated contentItem { __typename id title curriculumItemIds } }
    }
  }
}"""

QTI = package(
    qti3(
        resource("q1", dependencies=["s1", "a1"], metadata=standards(CASE, CASE_2) + lom("Adding numbers")),
        resource("s1", "stimuli/s1.xml", STIMULUS, metadata=standards(CASE) + lom("A passage on sums")),
        resource("a1", "pages/a1.html", ARTICLE, metadata=standards(CASE_2) + lom("How to add")),
    ),
    {"items/q1.xml": item(), "stimuli/s1.xml": stimulus(), "pages/a1.html": PAGE},
).read()
"""One each of what QTI 3 packages hold, related to each other."""

COURSE = package(
    cartridge(
        resource("p1", "pages/one.html", "webcontent", metadata=lom("Page one") + standards(CASE)),
        resource("p2", "pages/two.HTM?x=1", "webcontent", metadata=lom("Page two") + standards(CASE_2)),
        resource("style", "pages/style.css", "webcontent", metadata=""),
        items=place(
            "u1",
            "Unit 1",
            items=place("i1", "One", "p1") + place("i2", "Two", "p2") + place("empty", "Nothing yet"),
        )
        + place("u2", "Unit 2", items=place("i3", "Two again", "p2")),
    ),
    {
        "pages/one.html": '<html><body><h1>One</h1><img src="../images/dot.png"><link href="style.css"></body></html>',
        "pages/two.HTM": PAGE,
        "pages/style.css": "h1 { color: teal }",
        "images/dot.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
    },
).read()
"""A cartridge with two pages, a stylesheet and a picture, in nested folders."""


@dataclass
class Client:
    """Whoever has content.read and content.write in an installation."""

    lectern: World
    key: str

    async def graph(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation that is expected to succeed; answers data."""
        return await self.lectern.graph(query, key=self.key, **variables)

    async def announce(self, size: int, items: int = 1, **more: Any) -> dict[str, Any]:
        """The payload of createIngestUpload."""
        made = await self.graph(CREATE, input={"itemCount": items, "zipFileSize": size, **more})
        payload: dict[str, Any] = made["createIngestUpload"]
        return payload

    async def upload(self, data: bytes, items: int = 1) -> str:
        """Announce a package and put it there; the id of its job."""
        made = await self.announce(len(data), items)
        assert made["errors"] == []
        answer = await self.put(made["uploadUrl"], data)
        assert answer.status_code == 200, answer.text
        return str(made["job"]["id"])

    async def put(self, url: str, data: bytes, **headers: str) -> httpx.Response:
        """Upload as the document's curl line does."""
        return await self.lectern.client.put(url, content=data, headers={**ZIP, **headers})

    async def job(self, id: str) -> dict[str, Any]:
        """A job as it is now."""
        found: dict[str, Any] = (await self.graph(JOB, id=id))["ingestionJob"]
        return found

    async def finished(self, id: str, within: float = 20) -> dict[str, Any]:
        """The job once the document's polling loop would end."""

        async def ended() -> bool:
            job = (await self.graph("query ($id: ID!) { ingestionJob(jobId: $id) { status } }", id=id))["ingestionJob"]
            return job["status"] in ("COMPLETED", "FAILED", "COMPLETED_WITH_ERRORS")

        await eventually(ended, within=within, every=0.03)
        return await self.job(id)

    async def ingested(self, data: bytes, items: int = 1) -> dict[str, Any]:
        """The finished job of a package, done by a background process of its own."""
        id = await self.upload(data, items)
        async with self.lectern.background():
            return await self.finished(id)

    async def items(self, fields: str, first: int = 100, **conditions: Any) -> list[dict[str, Any]]:
        """What a search finds, best first."""
        query = f"""query ($filter: ContentItemFilter, $first: Int) {{
          searchContentItems(filter: $filter, first: $first) {{ nodes {{ __typename {fields} }} }}
        }}"""
        found = await self.graph(query, filter=conditions, first=first)
        items: list[dict[str, Any]] = found["searchContentItems"]["nodes"]
        return items

    async def item(self, identifier: str, fields: str) -> dict[str, Any]:
        """The newest item that came from a resource."""
        found = await self.items(f"sourceIdentifier {fields}", first=10)
        return next(item for item in found if item["sourceIdentifier"] == identifier)


async def client(
    lectern: World,
    *scopes: Scope,
    workspace: str = "ours",
    environment: Environment = Environment.PRODUCTION,
) -> Client:
    """An OAuth client with an access token; without scopes it has both."""
    granted = list(scopes or (READ, WRITE))
    async with lectern.database.transaction() as session:
        tenant = (await session.scalars(select(Workspace).where(Workspace.name == workspace))).one()
        made, _ = credentials.create_client(session, tenant.id, environment, "a client", granted, 100_000)
        await session.flush()
        return Client(lectern, await tokens.issue(session, made, granted))


def outcomes(job: dict[str, Any]) -> dict[str, str]:
    """What became of each resource."""
    return {node["itemId"]: node["status"] for node in job["itemStatuses"]["nodes"]}
