import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueAllocator;
import org.apache.curator.framework.recipes.queue.QueueSharder;
import org.apache.curator.framework.recipes.queue.QueueSharderPolicies;

/**
 * `sharder.*`: `QueueSharder` over plain queues. `start` takes part as `as` at `path`, with the leader at `leader`, `threshold` and `max`
 * queues; with `consume` it consumes from the beginning, and `take` answers `count` of what has come. `put` puts `item`, `shards` are
 * the names of the queues it knows, `stop` ends it.
 */
final class Sharders implements Role {
    private static final int CHECK_MILLIS = 100;

    private final CuratorFramework client;
    private final Map<String, Part> parts = new ConcurrentHashMap<>();

    Sharders(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "start":
                Part started = new Part(call);
                parts.put(Role.name(call), started);
                started.sharder.start();
                return null;
            case "put":
                DistributedQueue<String> queue = part(call).sharder.getQueue();
                queue.put(Role.text(call, "item"));
                return queue.flushPuts(10, TimeUnit.SECONDS);
            case "take":
                return part(call).take(call.get("count").asInt());
            case "shards":
                return new ArrayList<>(new TreeSet<>(part(call).sharder.getQueuePaths()));
            case "stop":
                parts.remove(Role.name(call)).sharder.close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private Part part(JsonNode call) {
        return parts.get(Role.name(call));
    }

    private final class Part {
        private final BlockingQueue<String> consumed = new LinkedBlockingQueue<>();
        private final QueueSharder<String, DistributedQueue<String>> sharder;

        Part(JsonNode call) {
            boolean consumes = call.has("consume");
            QueueAllocator<String, DistributedQueue<String>> allocator = (curator, path) ->
                    Queues.builder(curator, path, consumes ? consumed : null).buildQueue();
            QueueSharderPolicies policies = QueueSharderPolicies.builder()
                    .newQueueThreshold(call.get("threshold").asInt())
                    .maxQueues(call.get("max").asInt())
                    .thresholdCheckMs(CHECK_MILLIS)
                    .build();
            sharder = new QueueSharder<>(client, allocator, Role.path(call), Role.text(call, "leader"), policies);
        }

        private List<String> take(int count) throws InterruptedException {
            List<String> items = new ArrayList<>();
            while (items.size() < count) {
                String item = consumed.poll(20, TimeUnit.SECONDS);
                if (item == null) {
                    throw new IllegalStateException("nothing came after " + items);
                }
                items.add(item);
            }
            return items;
        }
    }
}
