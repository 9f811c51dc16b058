"""What kazoo's lock costs: kazoo_locks.py lock|handover SERVERS COUNT, as client_bench.rs."""

import json
import sys
import threading
import time

from kazoo.client import KazooClient

WAITERS = 100


def connect(servers):
    client = KazooClient(servers)
    client.start()
    return client


def rounds(client, path, count):
    lock = client.Lock(path)
    for _ in range(count):
        with lock:
            pass


def main():
    mode, servers, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    clients = [connect(servers) for _ in range(1 if mode == "lock" else WAITERS)]
    path, each = f"/bench-kazoo-{mode}", max(count // len(clients), 1)
    for client in clients:
        rounds(client, path, 1)
    start, cpu = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=rounds, args=(c, path, each)) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "ops": each * len(clients),
                "seconds": time.perf_counter() - start,
                "cpu": time.process_time() - cpu,
            }
        )
    )
    sys.stdout.flush()
    for client in clients:
        client.stop()


main()
