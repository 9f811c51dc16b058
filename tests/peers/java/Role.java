import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** One recipe's requests. */
interface Role {
    /** Carries out a request; the result must be something that JSON has. */
    Object answer(String verb, JsonNode call) throws Exception;

    /** The error for a verb that a role does not have. */
    static IllegalArgumentException unknown(String verb) {
        return new IllegalArgumentException("there is no command " + verb);
    }

    /** The node that a request is about. */
    static String path(JsonNode call) {
        return text(call, "path");
    }

    /** The name of what is held. */
    static String name(JsonNode call) {
        return text(call, "as");
    }

    /** A text that must be there. */
    static String text(JsonNode call, String field) {
        if (!call.has(field)) {
            throw new IllegalArgumentException(call.get("do").asText() + " needs " + field);
        }
        return call.get(field).asText();
    }

    /** How long to wait, ms; practically for ever if the request does not say. */
    static long millis(JsonNode call) {
        return call.has("wait") ? Math.round(call.get("wait").asDouble() * 1000) : TimeUnit.DAYS.toMillis(1);
    }

    /** Text as a node's data. */
    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** A node's data as text. */
    static String string(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }
}
