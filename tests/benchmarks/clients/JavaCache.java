import java.lang.management.ManagementFactory;
import java.util.concurrent.CountDownLatch;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.retry.RetryOneTime;

/**
 * CuratorCache's first copy of a tree that `client_bench fill` has made: JavaCache cache SERVERS COUNT, as client_bench/cache.rs. The
 * just-in-time compiler gets a smaller tree to begin with, /bench-cache/WARM_UP, which counts for nothing.
 */
public final class JavaCache {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[2]);
        CuratorFramework curator = CuratorFrameworkFactory.newClient(arguments[1], new RetryOneTime(100));
        curator.start();
        curator.blockUntilConnected();
        fill(curator, Integer.parseInt(arguments[3])).close();
        long memory = heap();
        long start = System.nanoTime();
        long cpu = cpu();
        CuratorCache cache = fill(curator, count);
        double seconds = (System.nanoTime() - start) / 1e9;
        double worked = (cpu() - cpu) / 1e9;
        long nodes = cache.size();
        // It says that it is ready also when it has failed to ask for some.
        if (nodes <= count) {
            throw new IllegalStateException(nodes + " nodes of " + count);
        }
        System.out.printf(
                "{\"ops\": %d, \"seconds\": %f, \"cpu\": %f, \"bytes\": %d}%n",
                nodes, seconds, worked, (heap() - memory) / nodes);
        // Alive until here, so that its nodes count.
        cache.close();
        System.exit(0);
    }

    private static CuratorCache fill(CuratorFramework curator, int count) throws Exception {
        CountDownLatch filled = new CountDownLatch(1);
        CuratorCache cache = CuratorCache.build(curator, "/bench-cache/" + count);
        cache.listenable().addListener(
                CuratorCacheListener.builder().forInitialized(filled::countDown).build());
        cache.start();
        filled.await();
        return cache;
    }

    /** Bytes of what lives. */
    private static long heap() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }
}
