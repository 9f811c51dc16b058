import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.Participant;

/** `latch.*`: `LeaderLatch`. `await` waits for leadership; `participants` lists ids, the leader first. */
final class Latches implements Role {
    private final CuratorFramework client;
    private final Map<String, LeaderLatch> latches = new ConcurrentHashMap<>();

    Latches(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "join":
                LeaderLatch latch = new LeaderLatch(client, Role.path(call), Role.name(call));
                latches.put(Role.name(call), latch);
                latch.start();
                return null;
            case "await":
                return latches.get(Role.name(call)).await(Role.millis(call), TimeUnit.MILLISECONDS);
            case "leads":
                return latches.get(Role.name(call)).hasLeadership();
            case "leave":
                latches.remove(Role.name(call)).close();
                return null;
            case "leader":
                try (LeaderLatch observer = new LeaderLatch(client, Role.path(call))) {
                    return observer.getLeader().getId();
                } catch (IllegalStateException neverStarted) {
                    return leader(call);
                }
            default:
                throw Role.unknown(verb);
        }
    }

    private Object leader(JsonNode call) throws Exception {
        List<String> ids = new ArrayList<>();
        for (Participant participant : new LeaderLatch(client, Role.path(call)).getParticipants()) {
            if (participant.isLeader()) {
                ids.add(participant.getId());
            }
        }
        return ids.isEmpty() ? "" : ids.get(0);
    }
}
