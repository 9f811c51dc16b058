// Implementation of harness.h: failing, recording events, awaiting completions.

#include "harness.h"

#include <time.h>

enum { DEADLINE_SECONDS = 20, SESSION_TIMEOUT_MS = 10000 };

const char *address;

static struct timespec deadline(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += DEADLINE_SECONDS;
    return at;
}

void fail(const char *file, int line, const char *what, const char *why) {
    fprintf(stderr, "%s:%d: %s %s\n", file, line, what, why);
    exit(1);
}

void fail_rc(const char *file, int line, const char *call, int expected, int got) {
    fprintf(stderr, "%s:%d: %s gave %d (%s), expected %d (%s)\n", file, line, call, got,
            zerror(got), expected, zerror(expected));
    exit(1);
}

Recorder *new_recorder(void) {
    Recorder *recorder = calloc(1, sizeof *recorder);
    CHECK(recorder);
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_cond_init(&recorder->changed, NULL);
    return recorder;
}

void record(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh;
    Recorder *recorder = context;
    if (!recorder)
        return;
    pthread_mutex_lock(&recorder->lock);
    CHECK(recorder->count < (int)(sizeof recorder->events / sizeof recorder->events[0]));
    Event *event = &recorder->events[recorder->count++];
    event->type = type;
    event->state = state;
    snprintf(event->path, sizeof event->path, "%s", path ? path : "");
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->lock);
}

static Event next_event(Recorder *recorder) {
    struct timespec until = deadline();
    pthread_mutex_lock(&recorder->lock);
    while (recorder->taken == recorder->count) {
        if (pthread_cond_timedwait(&recorder->changed, &recorder->lock, &until) != 0)
            fail(__FILE__, __LINE__, "an expected watch event", "did not come");
    }
    Event event = recorder->events[recorder->taken++];
    pthread_mutex_unlock(&recorder->lock);
    return event;
}

void expect_event(Recorder *recorder, int type, const char *path) {
    Event event = next_event(recorder);
    if (event.type == type && (!path || strcmp(event.path, path) == 0))
        return;
    fprintf(stderr, "event type %d state %d path '%s', expected type %d path '%s'\n",
            event.type, event.state, event.path, type, path ? path : "any");
    exit(1);
}

void expect_session_event(Recorder *recorder, int state) {
    Event event = next_event(recorder);
    // A client may say that it is connecting or associating on the way.
    while (event.type == ZOO_SESSION_EVENT && event.state != state &&
           (event.state == ZOO_CONNECTING_STATE || event.state == ZOO_ASSOCIATING_STATE))
        event = next_event(recorder);
    if (event.type == ZOO_SESSION_EVENT && event.state == state)
        return;
    fprintf(stderr, "event type %d state %d path '%s', expected session state %d\n", event.type,
            event.state, event.path, state);
    exit(1);
}

void expect_no_event(zhandle_t *zh, Recorder *recorder) {
    // Events and completions are delivered by one thread in the order of arrival.
    Result *fence = new_result();
    OK(zoo_async(zh, "/", done_string, fence));
    expect_done(fence, ZOK);
    pthread_mutex_lock(&recorder->lock);
    if (recorder->taken != recorder->count) {
        Event *event = &recorder->events[recorder->taken];
        fprintf(stderr, "unexpected event type %d path '%s'\n", event->type, event->path);
        exit(1);
    }
    pthread_mutex_unlock(&recorder->lock);
}

zhandle_t *open_session(const char *suffix, Recorder *recorder, const clientid_t *id) {
    char host[256];
    snprintf(host, sizeof host, "%s%s", address, suffix);
    zhandle_t *zh = zookeeper_init(host, record, SESSION_TIMEOUT_MS, id, recorder, 0);
    CHECK(zh);
    expect_session_event(recorder, ZOO_CONNECTED_STATE);
    RC(ZOO_CONNECTED_STATE, zoo_state(zh));
    return zh;
}

void make_root(zhandle_t *zh, const char *name, char *path) {
    sprintf(path, "/c-%s", name);
    OK(zoo_create(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0));
}

const char *under(const char *base, const char *name) {
    static char buffers[16][256];
    static int next;
    char *buffer = buffers[next++ % 16];
    snprintf(buffer, sizeof buffers[0], "%s/%s", base, name);
    return buffer;
}

Result *new_result(void) {
    Result *result = calloc(1, sizeof *result);
    CHECK(result);
    pthread_mutex_init(&result->lock, NULL);
    pthread_cond_init(&result->changed, NULL);
    result->length = -2;
    result->children = -1;
    return result;
}

void expect_done(Result *result, int rc) {
    struct timespec until = deadline();
    pthread_mutex_lock(&result->lock);
    while (!result->done) {
        if (pthread_cond_timedwait(&result->changed, &result->lock, &until) != 0)
            fail(__FILE__, __LINE__, "a completion", "did not come");
    }
    if (result->rc != rc)
        fail_rc(__FILE__, __LINE__, "a completion", rc, result->rc);
    pthread_mutex_unlock(&result->lock);
}

// Completions are counted over the whole program, to check their order.
static int completions;

static void finish(const void *data, int rc, const char *value, int length,
                   const struct Stat *stat) {
    Result *result = (Result *)data;
    pthread_mutex_lock(&result->lock);
    result->rc = rc;
    if (value)
        snprintf(result->text, sizeof result->text, "%.*s",
                 length >= 0 ? length : (int)strlen(value), value);
    result->length = length;
    if (stat)
        result->stat = *stat;
    result->order = completions++;
    result->done = true;
    pthread_cond_broadcast(&result->changed);
    pthread_mutex_unlock(&result->lock);
}

void done_void(int rc, const void *data) { finish(data, rc, NULL, -1, NULL); }

void done_stat(int rc, const struct Stat *stat, const void *data) {
    finish(data, rc, NULL, -1, stat);
}

void done_data(int rc, const char *value, int length, const struct Stat *stat,
               const void *data) {
    finish(data, rc, value, length, stat);
}

void done_strings(int rc, const struct String_vector *strings, const void *data) {
    done_strings_stat(rc, strings, NULL, data);
}

void done_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat,
                       const void *data) {
    Result *result = (Result *)data;
    if (strings)
        result->children = strings->count;
    finish(data, rc, strings && strings->count ? strings->data[0] : NULL, -1, stat);
}

void done_string(int rc, const char *value, const void *data) {
    finish(data, rc, value, -1, NULL);
}

void done_string_stat(int rc, const char *value, const struct Stat *stat, const void *data) {
    finish(data, rc, value, -1, stat);
}

void done_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) {
    Result *result = (Result *)data;
    if (acl && acl->count) {
        result->children = acl->count;
        result->first_perms = acl->data[0].perms;
    }
    finish(data, rc, acl && acl->count ? acl->data[0].id.scheme : NULL, -1, stat);
}
