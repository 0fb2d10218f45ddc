import sys
import time

import common
from celery import Celery

app = Celery("bench", broker=common.URL)
app.conf.update(
    task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=64, worker_enable_remote_control=False,
    worker_send_task_events=False, broker_connection_retry_on_startup=True)
meter = common.Meter()


@app.task(name="noop")
def noop(sent):
    if common.HOLDS:
        common.held()
        time.sleep(common.HOLD_SECONDS)
    meter.began(sent)


def enqueue():
    for _ in range(common.JOBS):
        noop.delay(time.time())


match sys.argv[1]:
    case "enqueue":
        common.timed(enqueue)
    case "pace":
        for now in common.moments():
            noop.delay(now)
    case "work":
        pool = ["-P", "threads", "-c", "5"] if common.HOLDS else ["-P", "solo"]
        app.worker_main(
            ["worker", "-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"] + pool)
