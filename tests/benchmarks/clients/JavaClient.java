import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** What ZooKeeper's Java client and Curator's lock cost: JavaClient MODE SERVERS COUNT, as client_bench.rs. */
public final class JavaClient {
    private static final int WINDOW = 1000;
    private static final int WAITERS = 100;

    private interface Run {
        void times(int count) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        String mode = arguments[0];
        String servers = arguments[1];
        int count = Integer.parseInt(arguments[2]);
        Run run = switch (mode) {
            case "get", "set" -> pipeline(connect(servers), mode.equals("set"));
            case "lock" -> lock(curator(servers));
            case "handover" -> handover(servers);
            default -> throw new IllegalArgumentException(mode);
        };
        // The just-in-time compiler needs more than a tenth.
        run.times(mode.equals("get") || mode.equals("set") ? Math.max(count / 2, 200_000) : count);
        long start = System.nanoTime();
        long cpu = cpu();
        run.times(count);
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(
                "{\"ops\": %d, \"seconds\": %f, \"cpu\": %f}%n", count, seconds, (cpu() - cpu) / 1e9);
        System.exit(0);
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static ZooKeeper connect(String servers) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(servers, 30_000, event -> {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        connected.await();
        try {
            client.create("/bench", new byte[100], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        } catch (KeeperException.NodeExistsException there) {
            // As wanted.
        }
        return client;
    }

    private static Run pipeline(ZooKeeper client, boolean write) {
        byte[] data = new byte[100];
        return count -> {
            Semaphore room = new Semaphore(WINDOW);
            for (int i = 0; i < count; i++) {
                room.acquire();
                if (write) {
                    client.setData("/bench", data, -1, (rc, path, context, stat) -> room.release(), null);
                } else {
                    client.getData("/bench", false, (rc, path, context, read, stat) -> room.release(), null);
                }
            }
            room.acquire(WINDOW);
        };
    }

    private static CuratorFramework curator(String servers) throws Exception {
        CuratorFramework curator = CuratorFrameworkFactory.newClient(servers, new RetryOneTime(100));
        curator.start();
        curator.blockUntilConnected();
        return curator;
    }

    private static Run lock(CuratorFramework curator) {
        InterProcessMutex mutex = new InterProcessMutex(curator, "/bench-lock");
        return count -> {
            for (int i = 0; i < count; i++) {
                mutex.acquire();
                mutex.release();
            }
        };
    }

    private static Run handover(String servers) throws Exception {
        List<InterProcessMutex> mutexes = new ArrayList<>();
        for (int i = 0; i < WAITERS; i++) {
            mutexes.add(new InterProcessMutex(curator(servers), "/bench-handover"));
        }
        return count -> {
            List<Thread> threads = new ArrayList<>();
            for (InterProcessMutex mutex : mutexes) {
                Thread thread = new Thread(() -> {
                    try {
                        for (int i = 0; i < Math.max(count / WAITERS, 1); i++) {
                            mutex.acquire();
                            mutex.release();
                        }
                    } catch (Exception failure) {
                        throw new IllegalStateException(failure);
                    }
                });
                thread.start();
                threads.add(thread);
            }
            for (Thread thread : threads) {
                thread.join();
            }
        };
    }
}
