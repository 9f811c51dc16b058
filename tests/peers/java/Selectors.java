import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

/** `selector.*`: `LeaderSelector`, whose leadership lasts until `leave`. */
final class Selectors implements Role {
    private final CuratorFramework client;
    private final Map<String, Term> terms = new ConcurrentHashMap<>();

    Selectors(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "join":
                Term term = new Term();
                term.selector = new LeaderSelector(client, Role.path(call), term);
                term.selector.setId(Role.name(call));
                terms.put(Role.name(call), term);
                term.selector.start();
                return null;
            case "await":
                return terms.get(Role.name(call)).elected.await(Role.millis(call), TimeUnit.MILLISECONDS);
            case "leads":
                return terms.get(Role.name(call)).selector.hasLeadership();
            case "leave":
                Term last = terms.remove(Role.name(call));
                last.over.countDown();
                last.selector.close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }

    private static final class Term extends LeaderSelectorListenerAdapter {
        private final CountDownLatch elected = new CountDownLatch(1);
        private final CountDownLatch over = new CountDownLatch(1);
        private LeaderSelector selector;

        @Override
        public void takeLeadership(CuratorFramework client) throws Exception {
            elected.countDown();
            over.await();
        }
    }
}
