"""Workers come and go under a steady load: 1, 3, 1, one of them killed. Nothing is lost, the order of each key holds, and nothing is
written twice except what the killed one had not committed."""

import time

from flow import Flow, Watch
from worker import Worker


def test_scaling_and_a_kill_under_load_lose_and_reorder_nothing(stack, cluster, tmp_path, name, long_run):
    # At least ten thousand events at 4 000 a second run between any two faults.
    count, rate = (1_000_000, 4_000) if long_run else (120_000, 3_000)
    flow = Flow(cluster, tmp_path, name, partitions=16)
    production = flow.produce(count=count, rate=rate, keys=2_000)
    production.start()
    watch = Watch(flow)
    settle = 20 if long_run else 3

    def pause():
        """Load goes on; progress is seen before the next fault."""
        watch.wait_progress(records=rate)
        time.sleep(settle)
        watch.wait_progress()
        assert production.is_alive(), "the load ended before the faults did: raise the count"

    def worker(number):
        # However few processors there are: partitions of one worker on several threads.
        env = {"LOCKGATE__LIMITS__PIPELINE_THREADS": "4"}
        return Worker(stack, flow.topology, name=f"scale-{number}", arguments=flow.arguments(), env=env)

    with worker(1) as first, worker(2) as second, worker(3) as third:
        second.terminate()
        third.terminate()
        first.wait_ready()
        pause()
        second.start()
        third.start()
        second.wait_ready()
        third.wait_ready()
        pause()
        assert all(member.partitions() for member in (first, second, third)), "all three own partitions"
        owned = [partition["partition"] for partition in second.partitions()]
        second.kill()
        # Until its session ends, six seconds later, nobody else commits these partitions.
        committed, ends = cluster.committed(flow.name, flow.source), cluster.ends(flow.source)
        uncommitted = {partition: range(committed.get(partition, 0), ends[partition]) for partition in owned}
        pause()
        assert first.terminate() == 0
        pause()
        production.finish(seconds=count / rate + 60)
        flow.wait_drained(60)
        assert third.sum("lockgate_balance_records") == 0
        assert third.sum("lockgate_pending_records") == 0
        assert third.sum("lockgate_dead_letters_total") == 0
        assert third.terminate() == 0

    watch.stop()
    verdict = flow.verdict()
    print(verdict)
    assert verdict.is_sound, verdict
    assert not verdict.duplicates_outside(uncommitted), verdict
    # A commit every second bounds what is repeated.
    assert len(verdict.duplicates) <= 4 * rate, verdict
