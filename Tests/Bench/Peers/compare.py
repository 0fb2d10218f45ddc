"""Argus's queue beside six others on one redis-server, in interleaved rounds. Run by scripts/bench-peers.

Each round does for every system in turn: enqueue one by one, enqueue in bulk, work off what is there with one worker
process, and 5 s of 200 jobs a second with an idle worker. Figures are medians of the rounds. `--recovery SECONDS`
kills, once and side by side, the worker of five running jobs with SIGKILL, starts another at once, and waits for the
jobs to begin again for at most so long.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import threading
import time

import redis

HERE = pathlib.Path(__file__).parent
RATE, PACED = 200, 1000


class System:
    def __init__(self, name, setting, jobs, command, worker=None, bulk=True, waiter=None, holds=True, sessions=None):
        self.variables = {"BENCH_SESSIONS": str(sessions)} if sessions else {}
        self.name, self.setting, self.jobs, self.command, self.bulk, self.holds = name, setting, jobs, command, bulk, holds
        self.worker = worker or command + ["work"]
        self.waiter = waiter or self.worker


def python(name, setting, jobs, bulk=True):
    interpreter = HERE.parents[2] / ".build" / "peers" / name / "bin" / "python"
    return System(name, setting, jobs, [str(interpreter), str(HERE / f"{name}_peer.py")], bulk=bulk)


def systems(argus):
    ruby = str(HERE / "sidekiq_peer.rb")
    bare = [argus, "peer"]
    return [
        System("bare", "XADD; XREADGROUP, XACK, XDEL, 64 deep", 30_000, bare, bare + ["bare-work"], True,
               bare + ["bare-wait"], False),
        System("argus", "1,000 sessions", 30_000, [argus, "peer"], sessions=1000),
        System("argus-1", "a session for each job", 30_000, [argus, "peer"], holds=False),
        System("sidekiq", "5 threads, no job log", 30_000, ["ruby", ruby], ["sidekiq", "-r", ruby, "-c", "5"]),
        python("dramatiq", "32 threads", 20_000, bulk=False),
        python("taskiq", "streams, 1000 tasks", 8_000),
        python("bullmq", "concurrency 1", 8_000),
        python("arq", "1000 jobs, poll 10 ms", 8_000),
        python("celery", "solo, acks_late", 5_000, bulk=False),
    ]


class Stage:
    """One system's database on the server."""

    def __init__(self, system, port, database):
        self.system = system
        self.url = f"redis://127.0.0.1:{port}/{database}"
        self.redis = redis.from_url(self.url, socket_timeout=None)

    def environment(self, jobs, **more):
        return os.environ | {"BENCH_URL": self.url, "BENCH_JOBS": str(jobs), "BENCH_RATE": str(RATE)} | (
            self.system.variables) | more

    def spawn(self, command, jobs, **more):
        return subprocess.Popen(
            command, env=self.environment(jobs, **more), start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=open(f"/tmp/bench-{self.system.name}.log", "a"), cwd=HERE)

    def verb(self, verb, jobs):
        name = f"bare-{verb}" if self.system.name == "bare" else verb
        code = self.spawn(self.system.command + [name], jobs).wait(timeout=180)
        if code != 0:
            raise SystemExit(f"{self.system.name} {verb}: exit {code}; see /tmp/bench-{self.system.name}.log")

    def result(self):
        answer = self.redis.blpop("bench:result", timeout=180)
        if answer is None:
            raise SystemExit(f"{self.system.name}: no result in 180 s; see /tmp/bench-{self.system.name}.log")
        return json.loads(answer[1])

    def clear(self, jobs):
        self.redis.flushdb()
        if self.system.name in ("argus", "argus-1", "bare"):
            self.verb("prepare", jobs)

    def round(self):
        figures = {}
        jobs = self.system.jobs
        self.clear(jobs)
        self.verb("enqueue", jobs // 2)
        figures["enqueue"] = self.result()["rate"]
        self.clear(jobs)
        if self.system.bulk:
            self.verb("bulk", jobs)
            figures["bulk"] = self.result()["rate"]
        else:
            self.verb("enqueue", jobs)
            self.result()
        before = self.cpu()
        worker = self.spawn(self.system.worker, jobs)
        figures |= {key: value for key, value in self.result().items() if key in ("rate", "rss")}
        figures["cpu"] = (self.cpu() - before) * 1e6 / jobs
        spent = self.spent(worker)
        self.kill(worker)
        self.clear(PACED)
        worker = self.spawn(self.system.waiter, PACED)
        time.sleep(3)  # boot; and an idle worker is what a job finds
        figures["own"] = (spent - self.spent(worker)) * 1e6 / jobs
        self.verb("pace", PACED)
        figures |= {key: value for key, value in self.result().items() if key in ("p50", "p99")}
        self.kill(worker)
        return figures

    @staticmethod
    def spent(process):
        """CPU seconds of a worker and its children so far."""
        ticks = 0
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == process.pid:  # the process group
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def cpu(self):
        info = self.redis.info("cpu")
        return info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]

    def recovery(self, bound):
        """How many of five jobs began again, and the seconds until the last of them did."""
        self.clear(5)
        self.verb("enqueue", 5)
        first = self.spawn(self.system.worker if self.system.name != "argus" else self.system.command + ["hold"], 5,
                           BENCH_HOLD="1")
        if not self.until(5, 60):
            self.kill(first)
            return f"only {self.redis.llen('bench:started')}/5 began"
        self.kill(first)
        begin = time.time()
        self.redis.delete("bench:started")
        second = self.spawn(self.system.worker if self.system.name != "argus" else self.system.command + ["hold"], 5,
                            BENCH_HOLD="1")
        is_done = self.until(5, bound)
        seconds = time.time() - begin
        count = self.redis.llen("bench:started")
        self.kill(second)
        return f"{seconds:.1f} s" if is_done else f"{count}/5 within {bound} s"

    def until(self, count, seconds):
        end = time.time() + seconds
        while time.time() < end:
            if self.redis.llen("bench:started") >= count:
                return True
            time.sleep(0.05)
        return False

    @staticmethod
    def kill(process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def table(stages, rounds, restarts):
    median = {
        stage.system.name: {
            key: statistics.median(values) for key in ("enqueue", "bulk", "rate", "cpu", "own", "rss", "p50", "p99")
            if (values := [figures[key] for figures in rounds[stage.system.name] if key in figures])
        } for stage in stages
    }
    ours = median.get("argus", {})

    def cell(name, key, digits=0, reverse=False):
        value = median[name].get(key)
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}"
        if name == "argus" or key not in ours or not value:
            return text
        return f"{text} (×{value / ours[key] if reverse else ours[key] / value:.2f})"

    print("\nIn brackets: how many times as good Argus was (its rate over theirs, their time over its).\n")
    print("| system | setting | jobs/s | enqueue/s one by one | in bulk | start p50 ms | p99 ms | redis + worker CPU, µs/job | RSS MiB"
          " | after kill -9 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for stage in stages:
        name = stage.system.name
        cells = [cell(name, "rate"), cell(name, "enqueue"), cell(name, "bulk"), cell(name, "p50", 2, True),
                 cell(name, "p99", 2, True), cell(name, "cpu", 1), cell(name, "rss", 0)]
        cells[5] = " + ".join(f"{median[name][key]:.0f}" for key in ("cpu", "own") if key in median[name]) or "–"
        cells[6] = f"{median[name]['rss']:.0f}" if "rss" in median[name] else "–"
        print(f"| {name} | {stage.system.setting} | " + " | ".join(cells) + f" | {restarts.get(name, '–')} |")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("argus", help="the argus-bench binary")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--recovery", type=int, default=0, metavar="SECONDS")
    options.add_argument("--only", default="")
    chosen = options.parse_args()
    port = 17_000 + os.getpid() % 1000
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL)
        try:
            probe = redis.Redis(port=port)
            while True:
                try:
                    probe.ping()
                    break
                except redis.exceptions.RedisError:
                    time.sleep(0.05)
            wanted = chosen.only.split(",") if chosen.only else None
            stages = [Stage(system, port, index) for index, system in enumerate(systems(chosen.argus))
                      if not wanted or system.name in wanted]
            rounds = {stage.system.name: [] for stage in stages}
            for number in range(chosen.rounds):
                for stage in stages:
                    figures = stage.round()
                    rounds[stage.system.name].append(figures)
                    print(number + 1, stage.system.name, {key: round(value, 2) for key, value in figures.items()},
                          flush=True)
                    stage.redis.flushdb()
            restarts = {}
            if chosen.recovery:
                def recover(stage):
                    restarts[stage.system.name] = stage.recovery(chosen.recovery)
                    print("after kill -9:", stage.system.name, restarts[stage.system.name], flush=True)
                threads = [threading.Thread(target=recover, args=(stage,)) for stage in stages if stage.system.holds]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            table(stages, rounds, restarts)
        finally:
            server.kill()


main()
