"""What waits in Redis: rings for jobs that are due, and no more of them than there are such jobs."""

from dispatcher import queue
from storage import jobs
from storage.tables.columns import now
from tests.test_expansions import create
from tests.world import World


async def test_a_job_that_nobody_takes_is_rung_for_again_and_again_but_waits_once(lectern: World) -> None:
    job = await create(lectern)
    moment = now()
    async with queue.connected(lectern.settings["redis_url"]) as redis:
        names = set()
        for _ in range(5):
            async with lectern.database.transaction() as session:
                (handing,) = await jobs.due(session, 64, moment)
                assert await jobs.due(session, 64, moment) == [], "it is on its way"
            for _ in range(2):
                await queue.put(redis, handing)
            assert handing.job_id == job["id"]
            assert await redis.zrange(queue.QUEUE, 0, -1) == [handing.name.encode()]
            assert len(await redis.keys("arq:job:*")) == 1
            names.add(handing.name)
            moment += jobs.HAND_OVER
        assert len(names) == 5
