import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.zookeeper.CreateMode;

/** `persistent.*`: `PersistentNode`, ephemeral: `keep` the node `path` with `data` as `as`, and `remove` it. */
final class Persistent implements Role {
    private final CuratorFramework client;
    private final Map<String, PersistentNode> kept = new ConcurrentHashMap<>();

    Persistent(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "keep":
                PersistentNode node = new PersistentNode(
                        client, CreateMode.EPHEMERAL, false, Role.path(call), Role.bytes(Role.text(call, "data")));
                kept.put(Role.name(call), node);
                node.start();
                return null;
            case "remove":
                kept.remove(Role.name(call)).close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }
}
