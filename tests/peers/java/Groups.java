import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.nodes.GroupMember;

/** `group.*`: `GroupMember`; `list` as `as` sees it: data by id. */
final class Groups implements Role {
    private final CuratorFramework client;
    private final Map<String, GroupMember> members = new ConcurrentHashMap<>();

    Groups(CuratorFramework client) {
        this.client = client;
    }

    @Override
    public Object answer(String verb, JsonNode call) throws Exception {
        switch (verb) {
            case "join":
                GroupMember member =
                        new GroupMember(client, Role.path(call), Role.name(call), Role.bytes(Role.text(call, "data")));
                members.put(Role.name(call), member);
                member.start();
                return null;
            case "list":
                Map<String, String> found = new TreeMap<>();
                members.get(Role.name(call)).getCurrentMembers().forEach((id, data) -> found.put(id, Role.string(data)));
                return found;
            case "leave":
                members.remove(Role.name(call)).close();
                return null;
            default:
                throw Role.unknown(verb);
        }
    }
}
