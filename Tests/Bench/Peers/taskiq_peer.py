import asyncio
import sys
import time

import common
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=common.URL)
meter = common.Meter()


@broker.task(task_name="noop")
async def noop(sent):
    if common.HOLDS:
        common.held()
        await asyncio.sleep(common.HOLD_SECONDS)
    meter.began(sent)


async def enqueue():
    for _ in range(common.JOBS):
        await noop.kiq(time.time())


async def bulk():
    for start in range(0, common.JOBS, 64):
        await asyncio.gather(*(noop.kiq(time.time()) for _ in range(start, min(start + 64, common.JOBS))))


async def main(verb):
    if verb == "work":
        broker.is_worker_process = True
        await run_receiver_task(broker, max_async_tasks=1000, run_startup=True)
        return
    await broker.startup()
    match verb:
        case "enqueue":
            await common.timed_async(enqueue)
        case "bulk":
            await common.timed_async(bulk)
        case "pace":
            async for now in common.moments_async():
                await noop.kiq(now)
    await broker.shutdown()


asyncio.run(main(sys.argv[1]))
