import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/**
 * `queue.*`: `put` and `take` for the `kind`s `plain`, `priority` (with `priority`), `delay` (with `until`, epoch ms), `id` (with
 * `key`) and `simple`. `take` consumes until it has `count` items and answers them in order.
 */
final class Queues implements Role {
    private static final int ITEMS_WITHOUT_REFRESH = 0;

    private final CuratorFramework client;

    Queues(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "put":
                put(call);
                return null;
            case "take":
                return take(call);
            default:
                throw Role.unknown(verb);
        }
    }

    private void put(JsonNode call) throws Exception {
        String item = Role.text(call, "item");
        if (Role.text(call, "kind").equals("simple")) {
            new SimpleDistributedQueue(client, Role.path(call)).offer(Role.bytes(item));
            return;
        }
        QueueBuilder<String> builder = builder(call, null);
        switch (Role.text(call, "kind")) {
            case "priority":
                try (DistributedPriorityQueue<String> queue = builder.buildPriorityQueue(ITEMS_WITHOUT_REFRESH)) {
                    queue.start();
                    queue.put(item, call.get("priority").asInt());
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
                break;
            case "delay":
                try (DistributedDelayQueue<String> queue = builder.buildDelayQueue()) {
                    queue.start();
                    queue.put(item, call.get("until").asLong());
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
                break;
            case "id":
                try (DistributedIdQueue<String> queue = builder.buildIdQueue()) {
                    queue.start();
                    queue.put(item, Role.text(call, "key"));
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
                break;
            default:
                try (DistributedQueue<String> queue = builder.buildQueue()) {
                    queue.start();
                    queue.put(item);
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
        }
    }

    private List<String> take(JsonNode call) throws Exception {
        int count = call.get("count").asInt();
        List<String> items = new ArrayList<>();
        if (Role.text(call, "kind").equals("simple")) {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(client, Role.path(call));
            while (items.size() < count) {
                items.add(Role.string(queue.take()));
            }
            return items;
        }
        BlockingQueue<String> consumed = new LinkedBlockingQueue<>();
        try (QueueBase<String> queue = consumer(call, consumed)) {
            queue.start();
            while (items.size() < count) {
                String item = consumed.poll(20, TimeUnit.SECONDS);
                if (item == null) {
                    throw new IllegalStateException("nothing came after " + items);
                }
                items.add(item);
            }
        }
        return items;
    }

    private QueueBase<String> consumer(JsonNode call, BlockingQueue<String> consumed) {
        QueueBuilder<String> builder = builder(call, consumed);
        switch (Role.text(call, "kind")) {
            case "priority":
                return builder.buildPriorityQueue(ITEMS_WITHOUT_REFRESH);
            case "delay":
                return builder.buildDelayQueue();
            case "id":
                return builder.buildIdQueue();
            default:
                return builder.buildQueue();
        }
    }

    private QueueBuilder<String> builder(JsonNode call, BlockingQueue<String> consumed) {
        QueueBuilder<String> builder = builder(client, Role.path(call), consumed);
        if (call.has("locks")) {
            builder.lockPath(Role.text(call, "locks"));
        }
        return builder;
    }

    /** A queue of texts; without somewhere to put what is consumed it only puts. */
    static QueueBuilder<String> builder(CuratorFramework client, String path, BlockingQueue<String> consumed) {
        QueueConsumer<String> consumer = consumed == null ? null : new Consumer(consumed);
        // One thread, so that the order is the queue's.
        return QueueBuilder.builder(client, consumer, new Text(), path).executor(Runnable::run);
    }

    private static final class Consumer implements QueueConsumer<String> {
        private final BlockingQueue<String> consumed;

        Consumer(BlockingQueue<String> consumed) {
            this.consumed = consumed;
        }

        @Override
        public void consumeMessage(String message) {
            consumed.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {}
    }

    private static final class Text implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return Role.bytes(item);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return Role.string(bytes);
        }
    }
}
