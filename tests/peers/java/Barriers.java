import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;

/** `barrier.*`: `DistributedBarrier` with `close`, `open` and `wait`, `DistributedDoubleBarrier` with `enter` and `leave`. */
final class Barriers implements Role {
    private final CuratorFramework client;
    private final Map<String, DistributedDoubleBarrier> entered = new ConcurrentHashMap<>();

    Barriers(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "close":
                new DistributedBarrier(client, Role.path(call)).setBarrier();
                return null;
            case "open":
                new DistributedBarrier(client, Role.path(call)).removeBarrier();
                return null;
            case "wait":
                return new DistributedBarrier(client, Role.path(call))
                        .waitOnBarrier(Role.millis(call), TimeUnit.MILLISECONDS);
            case "enter":
                DistributedDoubleBarrier barrier =
                        new DistributedDoubleBarrier(client, Role.path(call), call.get("count").asInt());
                entered.put(Role.name(call), barrier);
                return barrier.enter(Role.millis(call), TimeUnit.MILLISECONDS);
            case "leave":
                return entered.remove(Role.name(call)).leave(Role.millis(call), TimeUnit.MILLISECONDS);
            default:
                throw Role.unknown(verb);
        }
    }
}
