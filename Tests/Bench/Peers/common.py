"""What the Python peers share: settings, the meter of the jobs, and how it tells its result.

BENCH_URL redis://…   BENCH_JOBS how many   BENCH_RATE jobs a second of `pace`   BENCH_HOLD the jobs never end
"""

import json
import os
import threading
import time

import redis

URL = os.environ["BENCH_URL"]
JOBS = int(os.environ["BENCH_JOBS"])
RATE = int(os.environ.get("BENCH_RATE", "200"))
HOLDS = "BENCH_HOLD" in os.environ
HOLD_SECONDS = 3600


def tell(result):
    redis.from_url(URL).rpush("bench:result", json.dumps(result))


def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


class Meter:
    """Counts jobs from the beginning of the first to that of the last."""

    def __init__(self):
        self.lock = threading.Lock()
        self.waits = []
        self.first = None

    def began(self, sent):
        now = time.time()
        with self.lock:
            if self.first is None:
                self.first = now
            self.waits.append((now - sent) * 1000)
            if len(self.waits) == JOBS:
                waits = sorted(self.waits)
                tell({
                    "rate": JOBS / max(now - self.first, 1e-9), "count": JOBS, "rss": resident(),
                    "p50": waits[JOBS // 2], "p99": waits[JOBS * 99 // 100],
                })


def held():
    redis.from_url(URL).rpush("bench:started", os.getpid())


def timed(send):
    begin = time.time()
    send()
    tell({"rate": JOBS / (time.time() - begin)})


async def timed_async(send):
    begin = time.time()
    await send()
    tell({"rate": JOBS / (time.time() - begin)})


def moments():
    """The times at which `pace` sends; sleeps until each."""
    begin = time.time()
    for number in range(JOBS):
        due = begin + number / RATE
        time.sleep(max(0, due - time.time()))
        yield time.time()


async def moments_async():
    import asyncio

    begin = time.time()
    for number in range(JOBS):
        due = begin + number / RATE
        await asyncio.sleep(max(0, due - time.time()))
        yield time.time()
