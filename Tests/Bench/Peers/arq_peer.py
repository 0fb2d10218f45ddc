import asyncio
import sys
import time

import common
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

settings = RedisSettings.from_dsn(common.URL)
meter = common.Meter()


async def noop(context, sent):
    if common.HOLDS:
        common.held()
        await asyncio.sleep(common.HOLD_SECONDS)
    meter.began(sent)


async def bulk(pool):
    for start in range(0, common.JOBS, 64):
        await asyncio.gather(
            *(pool.enqueue_job("noop", time.time()) for _ in range(start, min(start + 64, common.JOBS))))


async def enqueue(pool):
    for _ in range(common.JOBS):
        await pool.enqueue_job("noop", time.time())


async def main(verb):
    if verb == "work":
        # For kill -9 what arq comes with; for speed a short poll, and no results.
        options = {} if common.HOLDS else {"max_jobs": 1000, "poll_delay": 0.01, "keep_result": 0}
        worker = Worker(functions=[noop], redis_settings=settings, handle_signals=False, **options)
        return await worker.async_run()
    pool = await create_pool(settings)
    match verb:
        case "enqueue":
            await common.timed_async(lambda: enqueue(pool))
        case "bulk":
            await common.timed_async(lambda: bulk(pool))
        case "pace":
            async for now in common.moments_async():
                await pool.enqueue_job("noop", now)
    await pool.aclose()


asyncio.run(main(sys.argv[1]))
