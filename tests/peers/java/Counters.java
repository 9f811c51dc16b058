import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.retry.RetryNTimes;

/**
 * `count.*`: `get` and `add` for the `kind`s `shared`, `int` and `long`; `next`, the number of `as` from a `CachedAtomicLong` with blocks of
 * `block`; `read` and `write` for a shared value.
 */
final class Counters implements Role {
    private final CuratorFramework client;
    private final Map<String, CachedAtomicLong> cached = new ConcurrentHashMap<>();

    Counters(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "get":
                return add(call, 0);
            case "add":
                return add(call, call.get("by").asInt());
            case "next":
                return cached.computeIfAbsent(Role.name(call), name -> cached(call)).next().preValue();
            case "read":
                try (SharedValue value = new SharedValue(client, Role.path(call), new byte[0])) {
                    value.start();
                    return Role.string(value.getValue());
                }
            case "write":
                try (SharedValue value = new SharedValue(client, Role.path(call), new byte[0])) {
                    value.start();
                    return value.trySetValue(value.getVersionedValue(), Role.bytes(Role.text(call, "value")));
                }
            default:
                throw Role.unknown(verb);
        }
    }

    /** Adds, and answers the sum. */
    private long add(JsonNode call, int by) throws Exception {
        RetryNTimes retries = new RetryNTimes(50, 20);
        switch (Role.text(call, "kind")) {
            case "int":
                return value(new DistributedAtomicInteger(client, Role.path(call), retries).add(by));
            case "long":
                return value(new DistributedAtomicLong(client, Role.path(call), retries).add((long) by));
            default:
                try (SharedCount count = new SharedCount(client, Role.path(call), 0)) {
                    count.start();
                    while (by != 0 && !count.trySetCount(count.getVersionedValue(), count.getCount() + by)) {
                        Thread.onSpinWait();
                    }
                    return count.getCount();
                }
        }
    }

    private CachedAtomicLong cached(JsonNode call) {
        RetryNTimes retries = new RetryNTimes(50, 20);
        DistributedAtomicLong number = new DistributedAtomicLong(client, Role.path(call), retries);
        return new CachedAtomicLong(number, call.get("block").asInt());
    }

    private static long value(AtomicValue<? extends Number> value) {
        if (!value.succeeded()) {
            throw new IllegalStateException("the counter could not be changed");
        }
        return value.postValue().longValue();
    }
}
