import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** `semaphore.*`: `InterProcessSemaphoreV2` with `leases`. */
final class Semaphores implements Role {
    private final CuratorFramework client;
    private final Map<String, Lease> held = new ConcurrentHashMap<>();

    Semaphores(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "acquire":
                InterProcessSemaphoreV2 semaphore =
                        new InterProcessSemaphoreV2(client, Role.path(call), call.get("leases").asInt());
                Lease lease = semaphore.acquire(Role.millis(call), TimeUnit.MILLISECONDS);
                if (lease != null) {
                    held.put(Role.name(call), lease);
                }
                return lease != null;
            case "release":
                held.remove(Role.name(call)).close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }
}
