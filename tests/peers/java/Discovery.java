import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.UriSpec;

/**
 * `discovery.*`: `register`, `unregister` and `list` below `path`. `payload` is the kind of payload: `none`, `text`, `map` or
 * `class`; `value` is what `register` puts into it.
 */
final class Discovery implements Role {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final CuratorFramework client;
    private final Map<String, ServiceDiscovery<Object>> registered = new ConcurrentHashMap<>();

    Discovery(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "register":
                register(call);
                return null;
            case "unregister":
                registered.remove(Role.name(call)).close();
                return null;
            case "list":
                return list(call);
            default:
                throw Role.unknown(verb);
        }
    }

    private void register(JsonNode call) throws Exception {
        ServiceInstanceBuilder<Object> builder = ServiceInstance.builder()
                .name(Role.text(call, "service"))
                .id(Role.name(call))
                .address(Role.text(call, "address"))
                .port(call.get("port").asInt());
        if (call.has("sslPort")) {
            builder.sslPort(call.get("sslPort").asInt());
        }
        if (call.has("uri")) {
            builder.uriSpec(new UriSpec(Role.text(call, "uri")));
        }
        Class<?> kind = kind(call);
        if (kind != Void.class) {
            builder.payload(JSON.treeToValue(call.get("value"), kind));
        }
        ServiceDiscovery<Object> discovery = discovery(call, kind);
        discovery.registerService(builder.build());
        registered.put(Role.name(call), discovery);
    }

    private List<Map<String, Object>> list(JsonNode call) throws Exception {
        List<Map<String, Object>> found = new ArrayList<>();
        try (ServiceDiscovery<Object> discovery = discovery(call, kind(call))) {
            for (ServiceInstance<Object> instance : discovery.queryForInstances(Role.text(call, "service"))) {
                Map<String, Object> fields = new HashMap<>();
                fields.put("id", instance.getId());
                fields.put("address", instance.getAddress());
                fields.put("port", instance.getPort());
                fields.put("sslPort", instance.getSslPort());
                fields.put("payload", instance.getPayload());
                fields.put("enabled", instance.isEnabled());
                fields.put("uri", instance.getUriSpec() == null ? null : instance.buildUriSpec());
                found.add(fields);
            }
        }
        return found;
    }

    @SuppressWarnings("unchecked")
    private ServiceDiscovery<Object> discovery(JsonNode call, Class<?> kind) throws Exception {
        ServiceDiscovery<Object> discovery = ServiceDiscoveryBuilder.builder((Class<Object>) kind)
                .client(client)
                .basePath(Role.path(call))
                .build();
        discovery.start();
        return discovery;
    }

    private static Class<?> kind(JsonNode call) {
        switch (Role.text(call, "payload")) {
            case "none":
                return Void.class;
            case "text":
                return String.class;
            case "map":
                return HashMap.class;
            default:
                return Payload.class;
        }
    }
}
