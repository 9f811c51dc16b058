import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.Revoker;

/** `lock.*`: `InterProcessMutex`, and `Revoker`. `revocable` in `acquire` lets `revoked` wait for a request to release. */
final class Locks implements Role {
    private final CuratorFramework client;
    private final Map<String, InterProcessMutex> locks = new ConcurrentHashMap<>();
    private final Map<String, CountDownLatch> revocations = new ConcurrentHashMap<>();

    Locks(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "acquire":
                InterProcessMutex lock =
                        locks.computeIfAbsent(Role.name(call), name -> new InterProcessMutex(client, Role.path(call)));
                if (call.path("revocable").asBoolean()) {
                    CountDownLatch asked = new CountDownLatch(1);
                    revocations.put(Role.name(call), asked);
                    lock.makeRevocable(mutex -> asked.countDown());
                }
                boolean held = lock.acquire(Role.millis(call), TimeUnit.MILLISECONDS);
                if (!held) {
                    locks.remove(Role.name(call));
                }
                return held;
            case "release":
                locks.remove(Role.name(call)).release();
                return null;
            case "revoked":
                return revocations.get(Role.name(call)).await(Role.millis(call), TimeUnit.MILLISECONDS);
            case "revoke":
                InterProcessMutex any = new InterProcessMutex(client, Role.path(call));
                Revoker.attemptRevoke(client, any.getParticipantNodes().iterator().next());
                return null;
            default:
                throw Role.unknown(verb);
        }
    }
}
