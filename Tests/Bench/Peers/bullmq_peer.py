import asyncio
import sys
import time

import common
from bullmq import Queue, Worker

meter = common.Meter()
keep = {"removeOnComplete": True}


async def noop(job, token):
    if common.HOLDS:
        common.held()
        await asyncio.sleep(common.HOLD_SECONDS)
    meter.began(job.data["sent"])


async def enqueue(queue):
    for _ in range(common.JOBS):
        await queue.add("noop", {"sent": time.time()}, keep)


async def bulk(queue):
    for start in range(0, common.JOBS, 1000):
        await queue.addBulk([
            {"name": "noop", "data": {"sent": time.time()}, "opts": keep}
            for _ in range(start, min(start + 1000, common.JOBS))
        ])


async def main(verb):
    if verb == "work":
        Worker("bench", noop, {"connection": common.URL, "concurrency": 5 if common.HOLDS else 1})
        return await asyncio.sleep(2 * common.HOLD_SECONDS)
    queue = Queue("bench", {"connection": common.URL})
    match verb:
        case "enqueue":
            await common.timed_async(lambda: enqueue(queue))
        case "bulk":
            await common.timed_async(lambda: bulk(queue))
        case "pace":
            async for now in common.moments_async():
                await queue.add("noop", {"sent": now}, keep)
    await queue.close()


asyncio.run(main(sys.argv[1]))
