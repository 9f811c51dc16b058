import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.recipes.lock.LockListener;
import org.apache.zookeeper.recipes.lock.WriteLock;

/** `writelock.*`: ZooKeeper's own `WriteLock`, of which a session can have one at a path. */
final class WriteLocks implements Role {
    private final CuratorFramework client;
    private final Map<String, WriteLock> locks = new ConcurrentHashMap<>();

    WriteLocks(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "acquire":
                return acquire(call);
            case "release":
                locks.remove(Role.name(call)).unlock();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private boolean acquire(JsonNode call) throws Exception {
        CountDownLatch acquired = new CountDownLatch(1);
        LockListener listener = new LockListener() {
            @Override
            public void lockAcquired() {
                acquired.countDown();
            }

            @Override
            public void lockReleased() {
                // Nobody asks.
            }
        };
        WriteLock lock = new WriteLock(
                client.getZookeeperClient().getZooKeeper(),
                Role.path(call),
                ZooDefs.Ids.OPEN_ACL_UNSAFE,
                listener);
        locks.put(Role.name(call), lock);
        lock.lock();
        return acquired.await(Role.millis(call), TimeUnit.MILLISECONDS);
    }
}
