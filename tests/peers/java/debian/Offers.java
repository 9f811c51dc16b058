import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.recipes.leader.LeaderElectionSupport;
import org.apache.zookeeper.recipes.leader.LeaderElectionSupport.EventType;

/** `offer.*`: ZooKeeper's own `LeaderElectionSupport`: `join`, `await`, `leads`, `leave`, and `leader`, the host that leads. */
final class Offers implements Role {
    private final CuratorFramework client;
    private final Map<String, Part> parts = new ConcurrentHashMap<>();

    Offers(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "join":
                Part part = new Part();
                parts.put(Role.name(call), part);
                part.election.setZooKeeper(client.getZookeeperClient().getZooKeeper());
                part.election.setRootNodeName(Role.path(call));
                part.election.setHostName(Role.name(call));
                part.election.addListener(part::hear);
                part.election.start();
                return null;
            case "await":
                return part(call).elected.await(Role.millis(call), TimeUnit.MILLISECONDS);
            case "leads":
                return part(call).elected.getCount() == 0;
            case "leader":
                return part(call).election.getLeaderHostName();
            case "leave":
                parts.remove(Role.name(call)).election.stop();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private Part part(JsonNode call) {
        return parts.get(Role.name(call));
    }

    private static final class Part {
        private final LeaderElectionSupport election = new LeaderElectionSupport();
        private final CountDownLatch elected = new CountDownLatch(1);

        private void hear(EventType event) {
            if (event == EventType.ELECTED_COMPLETE) {
                elected.countDown();
            }
        }
    }
}
