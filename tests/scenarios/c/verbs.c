/* The verbs of the scenarios. */
#include "scenarios.h"
#include <pthread.h>
#include <time.h>

/* Things by name. What a callback uses is never freed before the program ends. */
#define MANY 64

/* What callbacks have told: of a watch, or of a client's states. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    json_object *told; /* an array */
    size_t taken;
} queue_t;

typedef struct {
    char name[64];
    quorate_client_t client;
    queue_t *states;
    uint64_t watch; /* of queue `states` */
    quorate_held_t held;
    quorate_election_t election;
    quorate_term_t term;
    pthread_t thread;
    json_object *step;
    size_t from;
} thing_t;

enum kind { CLIENTS, STATES, WATCHES, HOLDS, STARTED, KINDS };
static thing_t things[KINDS][MANY];

static thing_t *find(enum kind kind, const char *name, int make) {
    for (size_t i = 0; name && i < MANY; i++) {
        thing_t *thing = &things[kind][i];
        if (strcmp(thing->name, name) == 0)
            return thing;
        if (!thing->name[0] && make) {
            snprintf(thing->name, sizeof thing->name, "%s", name);
            return thing;
        }
    }
    FAIL("there is no %s", name ? name : "name");
}

static queue_t *new_queue(void) {
    queue_t *queue = calloc(1, sizeof *queue);
    if (!queue)
        FAIL("no memory");
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->more, NULL);
    queue->told = json_object_new_array();
    return queue;
}

static void push(queue_t *queue, json_object *item) {
    pthread_mutex_lock(&queue->mutex);
    json_object_array_add(queue->told, item);
    pthread_cond_broadcast(&queue->more);
    pthread_mutex_unlock(&queue->mutex);
}

/* The item of this number, as soon as it is there. */
static json_object *item(queue_t *queue, size_t number) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT / 1000;
    pthread_mutex_lock(&queue->mutex);
    while (json_object_array_length(queue->told) <= number)
        if (pthread_cond_timedwait(&queue->more, &queue->mutex, &end) != 0)
            FAIL("nothing has been told for %d ms", LIMIT);
    json_object *found = json_object_get(json_object_array_get_idx(queue->told, number));
    pthread_mutex_unlock(&queue->mutex);
    return found;
}

static json_object *failure_of(int32_t code, const char *path, const char *operation,
                               int unknown, int32_t part) {
    json_object *error = json_object_new_object(), *result = json_object_new_object();
    put(error, "name", json_object_new_string(quorate_status_name(code)));
    put(error, "code", json_object_new_int(code));
    put(error, "path", json_object_new_string(path));
    put(error, "operation", json_object_new_string(operation));
    put(error, "outcome_unknown", json_object_new_boolean(unknown));
    put(error, "part", part < 0 ? NULL : json_object_new_int(part));
    put(result, "error", error);
    return result;
}

static json_object *failure(void) {
    const quorate_error *error = quorate_last_error();
    return failure_of(quorate_error_code(error), quorate_error_path(error),
                      quorate_error_operation(error), quorate_error_outcome_unknown(error),
                      quorate_error_part(error));
}

static json_object *stat_of(const quorate_stat *stat) {
    json_object *object = json_object_new_object();
    put(object, "version", json_object_new_int(stat->version));
    put(object, "cversion", json_object_new_int(stat->cversion));
    put(object, "data_length", json_object_new_int(stat->data_length));
    put(object, "num_children", json_object_new_int(stat->num_children));
    put(object, "czxid", json_object_new_int64(stat->czxid));
    put(object, "mzxid", json_object_new_int64(stat->mzxid));
    return object;
}

static const char *const kinds[] = {"", "created", "deleted", "changed", "children"};
static const char *const words[] = {"",          "connecting", "connected", "read_only",
                                    "suspended", "lost",       "closed",    "auth_failed"};

static void on_event(void *user, const quorate_event *event) {
    json_object *told = json_object_new_object();
    if (event->kind == QUORATE_EVENT_ENDED) {
        json_object_put(told);
        told = failure_of(event->status, event->path, "watch", 0, -1);
    } else if (event->kind == QUORATE_EVENT_MISSED) {
        put(told, "missed", json_object_new_boolean(1));
    } else {
        put(told, "kind", json_object_new_string(kinds[event->kind]));
        put(told, "path", json_object_new_string(event->path));
    }
    push(user, told);
}

static void on_state(void *user, int32_t state) {
    push(user, json_object_new_string(words[state]));
}

static size_t data_of(json_object *step, uint8_t *data, size_t room) {
    const char *hex = text(step, "hex"), *plain = text(step, "data");
    size_t length = hex ? strlen(hex) / 2 : strlen(plain);
    if (length > room)
        FAIL("too much data");
    for (size_t i = 0; i < length; i++) {
        unsigned byte = (unsigned char)(hex ? 0 : plain[i]);
        if (hex)
            sscanf(hex + 2 * i, "%2x", &byte);
        data[i] = (uint8_t)byte;
    }
    return length;
}

static int32_t version_of(json_object *step) {
    json_object *version = member(step, "version");
    return version ? json_object_get_int(version) : QUORATE_ANY_VERSION;
}

static quorate_create_options options_of(json_object *step) {
    static const char *const modes[] = {
        "persistent", "ephemeral",      "persistent_sequential",    "ephemeral_sequential",
        "container",  "persistent_ttl", "persistent_sequential_ttl"};
    quorate_create_options options = {.size = sizeof options, .mode = -1};
    for (int32_t mode = 0; mode < 7; mode++)
        if (strcmp(text(step, "mode"), modes[mode]) == 0)
            options.mode = mode;
    json_object *ttl = member(step, "ttl_ms");
    options.ttl_ms = ttl ? json_object_get_int64(ttl) : 0;
    return options;
}

static json_object *commit(quorate_multi_t multi, json_object *step, size_t skipped) {
    json_object *parts = member(step, "parts");
    uint8_t data[4096];
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        const char *verb = text(part, "do"), *path = text(part, "path");
        if (strcmp(verb, "create") == 0) {
            quorate_create_options options = options_of(part);
            size_t length = data_of(part, data, sizeof data);
            NEED(quorate_multi_create(multi, path, data, length, &options));
        } else if (strcmp(verb, "set") == 0) {
            size_t length = data_of(part, data, sizeof data);
            NEED(quorate_multi_set(multi, path, data, length, version_of(part)));
        } else if (strcmp(verb, "delete") == 0) {
            NEED(quorate_multi_delete(multi, path, version_of(part)));
        } else {
            NEED(quorate_multi_check(multi, path, version_of(part)));
        }
    }
    quorate_result result = QUORATE_RESULT_INIT;
    if (quorate_multi_commit(multi, LIMIT, &result) != QUORATE_OK) {
        quorate_result_clear(&result);
        return failure();
    }
    json_object *object = json_object_new_object(), *results = json_object_new_array();
    for (size_t i = skipped; i < result.parts_count; i++) {
        const quorate_part *part = result.parts[i];
        json_object *told = json_object_new_object();
        if (part->path)
            put(told, "path", json_object_new_string(part->path));
        else if (part->stat.czxid)
            put(told, "stat", stat_of(&part->stat));
        json_object_array_add(results, told);
    }
    quorate_result_clear(&result);
    put(object, "results", results);
    return object;
}

static int by_name(const void *one, const void *two) {
    return strcmp(*(const char *const *)one, *(const char *const *)two);
}

static json_object *listing(const quorate_result *result) {
    json_object *object = json_object_new_object(), *names = json_object_new_array();
    size_t count = result->children_count;
    const char **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        FAIL("no memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = result->children[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++)
        json_object_array_add(names, json_object_new_string(sorted[i]));
    free(sorted);
    put(object, "names", names);
    put(object, "stat", stat_of(&result->stat));
    return object;
}

/* get, exists, children: with a watch if the step names one. */
static json_object *read_node(quorate_client_t client, json_object *step) {
    const char *verb = text(step, "do"), *path = text(step, "path"),
               *watch = text(step, "watch");
    quorate_watcher watcher = {.size = sizeof watcher, .event = on_event};
    quorate_result result = QUORATE_RESULT_INIT;
    int32_t status;
    if (watch)
        watcher.user = find(WATCHES, watch, 1)->states = new_queue();
    if (verb[0] == 'g')
        status = watch ? quorate_get_and_watch(client, path, &watcher, LIMIT, &result)
                       : quorate_get(client, path, LIMIT, &result);
    else if (verb[0] == 'e')
        status = watch ? quorate_exists_and_watch(client, path, &watcher, LIMIT, &result)
                       : quorate_exists(client, path, LIMIT, &result);
    else
        status = watch ? quorate_children_and_watch(client, path, &watcher, LIMIT, &result)
                       : quorate_children(client, path, LIMIT, &result);
    json_object *object = json_object_new_object();
    if (status != QUORATE_OK) {
        json_object_put(object);
        object = failure();
    } else if (verb[0] == 'g') {
        char hex[8192] = "";
        for (size_t i = 0; i < result.data_length && 2 * i < sizeof hex - 3; i++)
            snprintf(hex + 2 * i, 3, "%02x", result.data[i]);
        put(object, "hex", json_object_new_string(hex));
        put(object, "data",
            json_object_new_string_len((const char *)result.data, (int)result.data_length));
        put(object, "stat", stat_of(&result.stat));
    } else if (verb[0] == 'e') {
        put(object, "exists", json_object_new_boolean(result.exists));
        if (result.exists)
            put(object, "stat", stat_of(&result.stat));
    } else {
        json_object_put(object);
        object = listing(&result);
    }
    if (watch)
        find(WATCHES, watch, 0)->watch = result.handle;
    quorate_result_clear(&result);
    return object;
}

/* acquire and lead, on a thread of their own. */
static void *take(void *started) {
    thing_t *own = started, *hold = find(HOLDS, text(own->step, "hold"), 0);
    json_object *step = own->step, *limit = member(step, "limit_ms");
    json_object *result = json_object_new_object();
    int64_t within = limit ? json_object_get_int64(limit) : LIMIT, token = 0;
    int32_t status;
    if (strcmp(text(step, "do"), "acquire") == 0) {
        status =
            quorate_lock_acquire(own->client, text(step, "path"), NULL, within, &hold->held);
        if (status == QUORATE_OK) {
            char path[512];
            NEED(quorate_held_path(hold->held, path, sizeof path));
            NEED(quorate_held_token(hold->held, &token));
            put(result, "path", json_object_new_string(path));
        }
    } else {
        const char *id = text(step, "id");
        quorate_election_options as = {
            .size = sizeof as, .id = (const uint8_t *)id, .id_length = strlen(id)};
        status = quorate_election_join(own->client, text(step, "path"), &as, &hold->election);
        if (status == QUORATE_OK)
            status = quorate_election_lead(hold->election, within, &hold->term);
        if (status == QUORATE_OK)
            NEED(quorate_term_token(hold->term, &token));
        else
            quorate_election_leave(hold->election, LIMIT);
    }
    put(result, "granted", json_object_new_boolean(status == QUORATE_OK));
    if (status == QUORATE_OK)
        put(result, "token", json_object_new_int64(token));
    else if (quorate_error_code(quorate_last_error()) != QUORATE_TIMED_OUT &&
             status != QUORATE_TIMED_OUT) {
        json_object_put(result);
        result = failure();
    }
    return result;
}

static json_object *start(json_object *step) {
    static int number;
    char own_name[32];
    const char *name = text(step, "start");
    snprintf(own_name, sizeof own_name, "#%d", number++ % 8);
    find(HOLDS, text(step, "hold"), 1);
    thing_t *own = find(STARTED, name ? name : own_name, 1);
    own->client = find(CLIENTS, text(step, "client"), 0)->client;
    own->step = json_object_get(step);
    if (pthread_create(&own->thread, NULL, take, own) != 0)
        FAIL("no thread");
    if (name)
        return json_object_new_object();
    void *result;
    pthread_join(own->thread, &result);
    json_object_put(own->step);
    return result;
}

static int32_t holds(const thing_t *hold) {
    return hold->term ? quorate_term_check(hold->term) : quorate_held_check(hold->held);
}

static json_object *on_hold(const char *verb, json_object *step) {
    thing_t *hold = find(HOLDS, text(step, "hold"), 0);
    json_object *result = json_object_new_object();
    quorate_multi_t multi;
    if (strcmp(verb, "holds") == 0) {
        put(result, "holds", json_object_new_boolean(holds(hold) == QUORATE_OK));
    } else if (strcmp(verb, "lost") == 0) {
        int32_t status = hold->term ? quorate_term_wait_lost(hold->term, LIMIT)
                                    : quorate_held_wait_lost(hold->held, LIMIT, NULL);
        if (status != QUORATE_OK && status != QUORATE_CLOSED)
            FAIL("%s is not lost", hold->name);
    } else if (strcmp(verb, "release") == 0) {
        NEED(hold->term ? quorate_election_leave(hold->election, LIMIT)
                        : quorate_held_release(hold->held, LIMIT));
    } else {
        json_object_put(result);
        NEED(hold->term ? quorate_term_guarded(hold->term, &multi)
                        : quorate_held_guarded(hold->held, &multi));
        return commit(multi, step, 1);
    }
    return result;
}

json_object *run_step(json_object *step) {
    const char *verb = text(step, "do"), *path = text(step, "path"),
               *name = text(step, "client");
    json_object *object = json_object_new_object();
    quorate_result result = QUORATE_RESULT_INIT;
    int32_t status = QUORATE_OK;
    uint8_t data[4096];
#define IS(what) (strcmp(verb, what) == 0)
    if (IS("open")) {
        thing_t *thing = find(CLIENTS, name, 1);
        quorate_client_options options = connection;
        options.state = on_state;
        options.user = thing->states = new_queue();
        NEED(quorate_client_connect(&options, LIMIT, &thing->client));
        return object;
    }
    if (IS("event")) {
        thing_t *watch = find(WATCHES, text(step, "watch"), 0);
        json_object_put(object);
        return item(watch->states, watch->states->taken++);
    }
    if (IS("unwatch")) {
        NEED(quorate_watch_close(find(WATCHES, text(step, "watch"), 0)->watch));
        return object;
    }
    if (IS("states")) {
        thing_t *states = find(STATES, text(step, "states"), 0);
        json_object *seen = json_object_new_array();
        const char *until = text(step, "until"), *last = "";
        for (size_t i = states->from; strcmp(last, until) != 0; i++) {
            json_object_array_add(seen, item(states->states, i));
            last = json_object_get_string(
                json_object_array_get_idx(seen, json_object_array_length(seen) - 1));
        }
        put(object, "seen", seen);
        return object;
    }
    if (IS("finish")) {
        thing_t *own = find(STARTED, text(step, "started"), 0);
        void *finished;
        pthread_join(own->thread, &finished);
        json_object_put(own->step);
        json_object_put(object);
        own->name[0] = '#';
        return finished;
    }
    if (member(step, "hold") && !IS("acquire") && !IS("lead")) {
        json_object_put(object);
        return on_hold(verb, step);
    }
    thing_t *thing = find(CLIENTS, name, 0);
    quorate_client_t client = thing->client;
    if (IS("close")) {
        NEED(quorate_client_close(client, LIMIT));
    } else if (IS("state")) {
        int32_t state;
        NEED(quorate_client_state(client, &state));
        put(object, "state", json_object_new_string(words[state]));
    } else if (IS("follow")) {
        thing_t *states = find(STATES, text(step, "states"), 1);
        /* Its first state is told by the callback, and may be on the way yet. */
        json_object_put(item(thing->states, 0));
        states->states = thing->states;
        states->from = json_object_array_length(thing->states->told);
    } else if (IS("create")) {
        quorate_create_options options = options_of(step);
        size_t length = data_of(step, data, sizeof data);
        status = quorate_create(client, path, data, length, &options, LIMIT, &result);
        if (status == QUORATE_OK)
            put(object, "path", json_object_new_string(result.path));
    } else if (IS("set")) {
        size_t length = data_of(step, data, sizeof data);
        status = quorate_set(client, path, data, length, version_of(step), LIMIT, &result);
    } else if (IS("delete")) {
        status = quorate_delete(client, path, version_of(step), LIMIT);
    } else if (IS("sync")) {
        status = quorate_sync(client, path, LIMIT);
    } else if (IS("await_children")) {
        size_t count = (size_t)json_object_get_int(member(step, "count"));
        const struct timespec pause = {0, 5000000};
        for (int waited = 0; result.children_count != count || !result.stat.czxid;
             waited += 5) {
            if (waited > LIMIT)
                FAIL("there are never so many children");
            nanosleep(&pause, NULL);
            NEED(quorate_children(client, path, LIMIT, &result));
        }
        quorate_result_clear(&result);
    } else if (IS("multi")) {
        quorate_multi_t multi;
        json_object_put(object);
        NEED(quorate_multi_open(client, &multi));
        return commit(multi, step, 0);
    } else if (IS("watch")) {
        thing_t *watch = find(WATCHES, text(step, "watch"), 1);
        quorate_watcher watcher = {
            .size = sizeof watcher, .event = on_event, .user = watch->states = new_queue()};
        int recursive = json_object_get_boolean(member(step, "recursive"));
        status = quorate_watch(client, path,
                               recursive ? QUORATE_WATCH_RECURSIVE : QUORATE_WATCH_NODE,
                               &watcher, LIMIT, &watch->watch);
    } else if (IS("acquire") || IS("lead")) {
        json_object_put(object);
        return start(step);
    } else {
        json_object_put(object);
        return read_node(client, step);
    }
#undef IS
    if (status == QUORATE_OK && result.stat.czxid)
        put(object, "stat", stat_of(&result.stat));
    if (status != QUORATE_OK) {
        json_object_put(object);
        object = failure();
    }
    quorate_result_clear(&result);
    return object;
}

void end_scenario(void) {
    for (size_t i = 0; i < MANY; i++)
        if (things[CLIENTS][i].name[0])
            quorate_client_close(things[CLIENTS][i].client, LIMIT);
    memset(things, 0, sizeof things);
}
