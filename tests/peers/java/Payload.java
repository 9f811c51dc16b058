/** A payload of a class of its own, as an application would have. */
public final class Payload {
    /** A number. */
    public int number;
    /** A text. */
    public String text;
}
