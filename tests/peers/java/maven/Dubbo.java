import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.registry.NotifyListener;
import org.apache.dubbo.registry.Registry;
import org.apache.dubbo.registry.RegistryFactory;
import org.apache.dubbo.rpc.model.ApplicationModel;
import org.apache.dubbo.rpc.model.FrameworkModel;

/**
 * `dubbo.*`: Dubbo's registry below the group `path`, with a client of its own. `register` and `unregister` the URL `url`; `lookup` what
 * there is for it; `subscribe` as `as`, and `seen`: what was told last of each category.
 */
final class Dubbo implements Role {
    private final String servers;
    private final Map<String, Registry> registries = new ConcurrentHashMap<>();
    private final Map<String, Map<String, List<String>>> seen = new ConcurrentHashMap<>();

    Dubbo(CuratorFramework client) {
        servers = client.getZookeeperClient().getCurrentConnectionString();
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "register":
                registry(call).register(url(call));
                return null;
            case "unregister":
                registry(call).unregister(url(call));
                return null;
            case "lookup":
                return texts(registry(call).lookup(url(call)));
            case "subscribe":
                Map<String, List<String>> told = new ConcurrentHashMap<>();
                seen.put(Role.name(call), told);
                registry(call).subscribe(url(call), new NotifyListener() {
                    @Override
                    public void notify(List<URL> urls) {
                        told.put(urls.get(0).getCategory("providers"), texts(urls));
                    }
                });
                return null;
            case "seen":
                return new TreeMap<>(seen.get(Role.name(call)));
            default:
                throw Role.unknown(verb);
        }
    }

    private Registry registry(JsonNode call) {
        return registries.computeIfAbsent(Role.path(call), group -> {
            // Nothing is cached in a file, and changes are told at once.
            String address = "zookeeper://" + servers + "/org.apache.dubbo.registry.RegistryService?file=false&delay-notification=0"
                    + "&group=" + group.substring(1);
            RegistryFactory factory =
                    Model.APPLICATION.getExtensionLoader(RegistryFactory.class).getExtension("zookeeper");
            return factory.getRegistry(URL.valueOf(address).setScopeModel(Model.APPLICATION));
        });
    }

    private URL url(JsonNode call) {
        return URL.valueOf(Role.text(call, "url")).setScopeModel(Model.APPLICATION);
    }

    /** Made when it is needed first: it takes a second. */
    private static final class Model {
        static final ApplicationModel APPLICATION = FrameworkModel.defaultModel().newApplication();
    }

    /** As they stand in the registry: what it adds for its own use is left out. */
    private static List<String> texts(List<URL> urls) {
        List<String> texts = new ArrayList<>();
        for (URL url : urls) {
            texts.add(url.removeParameter("check").toFullString());
        }
        texts.sort(null);
        return texts;
    }
}
