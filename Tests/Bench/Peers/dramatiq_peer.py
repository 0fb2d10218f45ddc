import sys
import time

import common
import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=common.URL))
meter = common.Meter()


@dramatiq.actor(time_limit=2 * common.HOLD_SECONDS * 1000)
def noop(sent):
    if common.HOLDS:
        common.held()
        time.sleep(common.HOLD_SECONDS)
    meter.began(sent)


def enqueue():
    for _ in range(common.JOBS):
        noop.send(time.time())


match sys.argv[1]:
    case "enqueue":
        common.timed(enqueue)
    case "pace":
        for now in common.moments():
            noop.send(now)
    case "work":
        dramatiq.Worker(dramatiq.get_broker(), worker_threads=32).start()
        time.sleep(2 * common.HOLD_SECONDS)
