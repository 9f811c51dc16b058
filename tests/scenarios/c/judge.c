/* What steps demand of their results, and what they save. */
#include "scenarios.h"

static json_object *saved;

void forget_saved(void) {
    json_object_put(saved);
    saved = json_object_new_object();
}

static json_object *saved_text(const char *from) {
    char out[4096];
    size_t length = 0;
    while (*from) {
        const char *end = strchr(from, '}');
        const char *value = NULL;
        char name[128];
        if (strncmp(from, "${", 2) == 0 && end) {
            snprintf(name, sizeof name, "%.*s", (int)(end - from - 2), from + 2);
            value = text(saved, name);
            if (!value)
                FAIL("nothing is saved as %s", name);
            from = end + 1;
        } else {
            snprintf(name, sizeof name, "%c", *from++);
            value = name;
        }
        length += (size_t)snprintf(out + length, sizeof out - length, "%s", value);
        if (length >= sizeof out)
            FAIL("a text is too long");
    }
    return json_object_new_string_len(out, (int)length);
}

json_object *filled_in(json_object *step) {
    json_object *copy;
    switch (json_object_get_type(step)) {
    case json_type_string:
        return saved_text(json_object_get_string(step));
    case json_type_object:
        copy = json_object_new_object();
        json_object_object_foreach(step, name, value) put(copy, name, filled_in(value));
        return copy;
    case json_type_array:
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(step); i++)
            json_object_array_add(copy, filled_in(json_object_array_get_idx(step, i)));
        return copy;
    default:
        return json_object_get(step);
    }
}

static int equal(json_object *expected, json_object *found) {
    if (json_object_get_type(expected) == json_type_object) {
        json_object_object_foreach(expected, name, value) {
            if (!equal(value, member(found, name)))
                return 0;
        }
        return 1;
    }
    if (json_object_get_type(expected) == json_type_array) {
        if (json_object_get_type(found) != json_type_array ||
            json_object_array_length(expected) != json_object_array_length(found))
            return 0;
        for (size_t i = 0; i < json_object_array_length(expected); i++)
            if (!equal(json_object_array_get_idx(expected, i),
                       json_object_array_get_idx(found, i)))
                return 0;
        return 1;
    }
    if (json_object_get_type(expected) == json_type_string &&
        json_object_get_type(found) == json_type_int)
        return strcmp(json_object_get_string(expected), json_object_get_string(found)) == 0;
    return json_object_equal(expected, found);
}

/* The value that a dotted name leads to. */
static json_object *at(json_object *object, const char *path) {
    char name[64];
    const char *dot = strchr(path, '.');
    if (!dot)
        return member(object, path);
    snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
    return at(member(object, name), dot + 1);
}

void judge(json_object *step, json_object *result) {
    json_object *expect = member(step, "expect"), *greater = member(step, "greater");
    json_object *save = member(step, "save"), *error = member(result, "error");
    if (error && !(expect && member(expect, "error")))
        FAIL("%s\nfails: %s", json_object_to_json_string(step),
             json_object_to_json_string(error));
    if (expect && !equal(expect, result))
        FAIL("%s\ngives %s", json_object_to_json_string(step),
             json_object_to_json_string(result));
    if (greater) {
        json_object_object_foreach(greater, name, than) {
            json_object *value = at(result, name),
                        *other = member(saved, json_object_get_string(than));
            if (!value || !other ||
                json_object_get_int64(value) <= json_object_get_int64(other))
                FAIL("%s\ngives %s", json_object_to_json_string(step),
                     json_object_to_json_string(result));
        }
    }
    if (save) {
        json_object_object_foreach(save, as, what) {
            json_object *value = at(result, json_object_get_string(what));
            if (!value)
                FAIL("%s\ngives %s", json_object_to_json_string(step),
                     json_object_to_json_string(result));
            put(saved, as, json_object_get(value));
        }
    }
}
