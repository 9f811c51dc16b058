import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;

/**
 * Curator's recipes as a process that answers the same lines of JSON as our own `recipes` program: `{"id": 7, "do":
 * "lock.acquire", …}`. Requests that name the same thing with `as` run one after another in one thread, to which Curator's locks
 * belong; all others run beside one another.
 */
public final class Peer {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Role> roles = new HashMap<>();
    private final Map<String, ExecutorService> owners = new ConcurrentHashMap<>();
    private final Executor others = Executors.newCachedThreadPool();

    private Peer(CuratorFramework client) throws ReflectiveOperationException {
        roles.put("lock", new Locks(client));
        roles.put("rw", new ReadWrite(client));
        roles.put("semaphore", new Semaphores(client));
        roles.put("latch", new Latches(client));
        roles.put("selector", new Selectors(client));
        roles.put("barrier", new Barriers(client));
        roles.put("queue", new Queues(client));
        roles.put("sharder", new Sharders(client));
        roles.put("count", new Counters(client));
        roles.put("discovery", new Discovery(client));
        roles.put("group", new Groups(client));
        roles.put("persistent", new Persistent(client));
        // What only one of the class paths has.
        putIfThere("writelock", "WriteLocks", client);
        putIfThere("offer", "Offers", client);
        putIfThere("dubbo", "Dubbo", client);
    }

    private void putIfThere(String role, String name, CuratorFramework client) throws ReflectiveOperationException {
        Class<? extends Role> found;
        try {
            found = Class.forName(name).asSubclass(Role.class);
        } catch (ClassNotFoundException missing) {
            return;
        }
        roles.put(role, found.getDeclaredConstructor(CuratorFramework.class).newInstance(client));
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(arguments[0])
                .sessionTimeoutMs(10_000)
                .connectionTimeoutMs(10_000)
                .retryPolicy(new ExponentialBackoffRetry(100, 8))
                .build();
        client.start();
        client.blockUntilConnected();
        Peer peer = new Peer(client);
        say(Map.of("ready", client.getZookeeperClient().getZooKeeper().getSessionId()));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode call = JSON.readTree(line);
            peer.threadFor(call).execute(() -> peer.answer(call));
        }
        client.close();
        System.exit(0);
    }

    private Executor threadFor(JsonNode call) {
        if (!call.has("as")) {
            return others;
        }
        return owners.computeIfAbsent(call.get("as").asText(), name -> Executors.newSingleThreadExecutor());
    }

    private void answer(JsonNode call) {
        Map<String, Object> answer = new HashMap<>();
        answer.put("id", call.get("id").asLong());
        String[] words = call.get("do").asText().split("\\.", 2);
        try {
            Role role = roles.get(words[0]);
            if (role == null) {
                throw new IllegalArgumentException("there is no role " + words[0]);
            }
            answer.put("value", role.answer(words[1], call));
        } catch (Exception error) {
            answer.put("error", error.toString());
        }
        say(answer);
    }

    private static synchronized void say(Map<String, ?> answer) {
        try {
            byte[] line = (JSON.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8);
            System.out.write(line);
            System.out.flush();
        } catch (Exception error) {
            System.err.println(error);
        }
    }
}
