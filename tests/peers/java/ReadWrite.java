import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;

/** `rw.*`: `InterProcessReadWriteLock`. `read` and `write` acquire; `release` needs `side`. */
final class ReadWrite implements Role {
    private final CuratorFramework client;
    private final Map<String, InterProcessReadWriteLock> locks = new ConcurrentHashMap<>();

    ReadWrite(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "read":
                return lock(call).readLock().acquire(Role.millis(call), TimeUnit.MILLISECONDS);
            case "write":
                return lock(call).writeLock().acquire(Role.millis(call), TimeUnit.MILLISECONDS);
            case "release":
                InterProcessReadWriteLock lock = locks.get(Role.name(call));
                InterProcessMutex side = Role.text(call, "side").equals("read") ? lock.readLock() : lock.writeLock();
                side.release();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private InterProcessReadWriteLock lock(JsonNode call) {
        return locks.computeIfAbsent(
                Role.name(call), name -> new InterProcessReadWriteLock(client, Role.path(call)));
    }
}
