import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.zookeeper.CreateMode;

/**
 * `persistent.*`: `keep` the node `path` with `data` as `as`, and `remove` it: an ephemeral `PersistentNode`; with `ttl` (ms) a
 * `PersistentTtlNode`, which `remove` only leaves alone.
 */
final class Persistent implements Role {
    private final CuratorFramework client;
    private final Map<String, Closeable> kept = new ConcurrentHashMap<>();

    Persistent(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "keep":
                kept.put(Role.name(call), call.has("ttl") ? keepForATime(call) : keep(call));
                return null;
            case "remove":
                kept.remove(Role.name(call)).close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private PersistentNode keep(JsonNode call) {
        PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, Role.path(call), data(call));
        node.start();
        return node;
    }

    private PersistentTtlNode keepForATime(JsonNode call) throws InterruptedException {
        PersistentTtlNode node =
                new PersistentTtlNode(client, Role.path(call), call.get("ttl").asLong(), data(call));
        node.start();
        if (!node.waitForInitialCreate(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the node was not made");
        }
        return node;
    }

    private static byte[] data(JsonNode call) {
        return Role.bytes(Role.text(call, "data"));
    }
}
