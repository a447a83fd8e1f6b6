"""One run of a job, as its processor sees it."""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator

from dispatcher.jobs.readers import Readers
from dispatcher.settings import Settings
from storage import attachments, jobs
from storage.blobs import Blobs
from storage.database import Database, Transaction
from storage.sealing import Sealer
from storage.tables import Attachment, AttachmentRole, Job, OutputType, Progress
from storage.tables.jobs import SUCCEEDED


class Run:
    """A claimed job; every write checks that it still is ours."""

    def __init__(
        self, database: Database, settings: Settings, sealer: Sealer, blobs: Blobs, readers: Readers, job: Job
    ) -> None:
        self.database = database
        self.settings = settings
        self.sealer = sealer
        self.blobs = blobs
        self.readers = readers
        self.job = job
        self._kept: list[Attachment] = []

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[Transaction, Job]]:
        """A change that is made only while we hold the lease; LeaseLost otherwise."""
        async with self.database.transaction() as session:
            yield session, await jobs.held(session, self.job.id, self.job.attempt)

    async def advance(
        self, progress: Progress, *, item_id: str | None = None, output_type: OutputType | None = None
    ) -> None:
        """Tell how far the job is."""
        async with self.transaction() as (session, job):
            await jobs.advance(session, job, progress, item_id=item_id, output_type=output_type)

    async def clear(self) -> None:
        """Remove the files that a lost worker may have left; before the first one of this attempt is kept."""
        await self.blobs.delete_all(attachments.folder(self.job.id))

    async def keep(
        self, role: AttachmentRole, filename: str, content_type: str, chunks: AsyncIterable[bytes]
    ) -> Attachment:
        """Write a file; it becomes the job's if the job ends well, and is gone otherwise."""
        row = attachments.named(self.job, role, filename, content_type)
        self._kept.append(row)
        await attachments.write(self.blobs, row, chunks)
        return row

    def attach(self, session: Transaction, job: Job) -> None:
        """Give the job its files, in the transaction that finishes it."""
        if job.state in SUCCEEDED:
            session.add_all(self._kept)

    async def discard(self) -> None:
        """Remove the files that did not become the job's; a commit may have succeeded although we heard otherwise."""
        if not self._kept:
            return
        async with self.database.snapshot() as session:
            attached = {row.id for row in await attachments.of_jobs(session, [self.job.id])}
        for row in self._kept:
            if row.id not in attached:
                await self.blobs.delete(row.key)
