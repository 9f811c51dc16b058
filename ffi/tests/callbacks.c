/* Asynchronous calls, watches, states: on the client's thread and by polling; and closing in
 * the middle of it. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* What the callbacks of one client have seen. */
typedef struct {
    atomic_int results, failures, batches, destroyed, events, ended, states;
    atomic_uint_fast64_t last_token, handle;
    atomic_int last_status, last_kind, last_state, blocked;
    char path[128];
    /* Closed within the callback, if it is set. */
    quorate_client_t close;
    atomic_int closed_with;
    /* The same for the watch that calls. */
    atomic_int unwatch;
    pthread_t thread;
} seen_t;

static void take(seen_t *seen, const quorate_result *result) {
    seen->last_token = result->token;
    seen->last_status = result->status;
    if (result->handle)
        seen->handle = result->handle;
    if (result->status != QUORATE_OK) {
        CHECK(result->error != NULL);
        seen->failures++;
    }
    seen->results++;
}

static void on_results(void *user, const quorate_result *const *results, size_t count) {
    seen_t *seen = user;
    CHECK(count > 0 && seen->destroyed == 0);
    seen->thread = pthread_self();
    while (seen->blocked)
        pause_ms(1);
    for (size_t i = 0; i < count; i++)
        take(seen, results[i]);
    seen->batches++;
    if (seen->close) {
        quorate_client_t client = seen->close;
        seen->close = 0;
        seen->closed_with = quorate_client_close(client, LIMIT);
    }
}

static void on_state(void *user, int32_t state) {
    seen_t *seen = user;
    CHECK(seen->destroyed == 0);
    seen->last_state = state;
    seen->states++;
}

static void on_destroy(void *user) { ((seen_t *)user)->destroyed++; }

static void on_event(void *user, const quorate_event *event) {
    seen_t *seen = user;
    CHECK(seen->destroyed == 0);
    snprintf(seen->path, sizeof seen->path, "%s", event->path);
    seen->last_kind = event->kind;
    if (event->kind == QUORATE_EVENT_ENDED)
        seen->ended++;
    seen->events++;
    if (seen->unwatch)
        OK(quorate_watch_close(event->watch));
    if (seen->close) {
        quorate_client_t client = seen->close;
        seen->close = 0;
        seen->closed_with = quorate_client_close(client, LIMIT);
    }
}

static quorate_client_t open_called(seen_t *seen) {
    quorate_client_options options = {.size = sizeof options,
                                      .completion = on_results,
                                      .state = on_state,
                                      .user = seen,
                                      .destroy = on_destroy};
    memset(seen, 0, sizeof *seen);
    return connect_with(&options);
}

void test_callbacks(void) {
    seen_t seen;
    quorate_client_t client = open_called(&seen);
    empty(client, "/c-callbacks");
    AWAIT(seen.last_state == QUORATE_STATE_CONNECTED);

    /* One of each. */
    OK(quorate_create_async(client, "/c-callbacks/a", BYTES("1"), NULL, 1));
    OK(quorate_set_async(client, "/c-callbacks/a", BYTES("2"), 0, 2));
    OK(quorate_get_async(client, "/c-callbacks/a", 3));
    OK(quorate_exists_async(client, "/c-callbacks/a", 4));
    OK(quorate_children_async(client, "/c-callbacks", 5));
    OK(quorate_sync_async(client, "/c-callbacks", 6));
    OK(quorate_delete_async(client, "/c-callbacks/a", 1, UINT64_MAX));
    AWAIT(seen.results == 7);
    CHECK(seen.failures == 0 && seen.last_token == UINT64_MAX);
    OK(quorate_delete_async(client, "/c-callbacks/a", -1, 8));
    AWAIT(seen.results == 8);
    CHECK(seen.last_status == QUORATE_NO_NODE && seen.last_token == 8);
    CHECK_STATUS(quorate_get_async(client, "bad", 9), QUORATE_BAD_ARGUMENTS);

    /* Many in flight come in batches. */
    for (int i = 0; i < 1000; i++)
        OK(quorate_get_async(client, "/c-callbacks", (uint64_t)i));
    AWAIT(seen.results == 1008);
    CHECK(seen.batches <= 1008 && seen.last_token == 999);
    CHECK(!pthread_equal(seen.thread, pthread_self()));

    /* A callback that blocks holds up no one else, nor the session. */
    seen_t other;
    quorate_client_t second = open_called(&other);
    seen.blocked = 1;
    OK(quorate_get_async(client, "/c-callbacks", 1));
    OK(quorate_get_async(second, "/c-callbacks", 1));
    AWAIT(other.results == 1);
    OK(quorate_get(client, "/c-callbacks", LIMIT, NULL));
    CHECK_STATUS(quorate_client_close(client, 20), QUORATE_TIMED_OUT);
    CHECK(seen.destroyed == 0);
    seen.blocked = 0;
    AWAIT(seen.destroyed == 1);
    CHECK(seen.results == 1009 && seen.last_state == QUORATE_STATE_CLOSED);

    /* Signals are not for the library's threads: this one waits for the only thread of ours. */
    sigset_t usr1;
    CHECK(sigemptyset(&usr1) == 0 && sigaddset(&usr1, SIGUSR1) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &usr1, NULL) == 0 && kill(getpid(), SIGUSR1) == 0);
    OK(quorate_get(second, "/c-callbacks", LIMIT, NULL));
    CHECK(sigtimedwait(&usr1, NULL, &(struct timespec){LIMIT / 1000, 0}) == SIGUSR1);

    /* A multi, a lock and a leadership without waiting. */
    quorate_multi_t multi;
    quorate_election_t election;
    quorate_call_t call;
    OK(quorate_multi_open(second, &multi));
    OK(quorate_multi_check(multi, "/c-callbacks", QUORATE_ANY_VERSION));
    OK(quorate_multi_commit_async(multi, 2));
    AWAIT(other.results == 2 && other.last_status == QUORATE_OK);
    OK(quorate_lock_acquire_async(second, "/c-callbacks/lock", NULL, LIMIT, 3, NULL));
    AWAIT(other.results == 3 && other.last_status == QUORATE_OK);
    quorate_held_t held = other.handle;
    OK(quorate_held_check(held));
    OK(quorate_lock_acquire_async(second, "/c-callbacks/lock", NULL, LIMIT, 4, &call));
    CHECK(call != 0);
    OK(quorate_call_cancel(call));
    AWAIT(other.results == 4);
    CHECK(other.last_status == QUORATE_CANCELLED);
    CHECK_STATUS(quorate_call_cancel(call), QUORATE_CLOSED);
    OK(quorate_lock_acquire_async(second, "/c-callbacks/lock", NULL, 20, 5, &call));
    AWAIT(other.results == 5);
    CHECK(other.last_status == QUORATE_TIMED_OUT);
    OK(quorate_held_release_async(held, 6));
    AWAIT(other.results == 6 && other.last_status == QUORATE_OK);
    OK(quorate_election_join(second, "/c-callbacks/election", NULL, &election));
    OK(quorate_election_lead_async(election, LIMIT, 7, NULL));
    AWAIT(other.results == 7);
    CHECK(other.last_status == QUORATE_OK);
    OK(quorate_term_check(other.handle));
    OK(quorate_election_leave_async(election, 8));
    AWAIT(other.results == 8);
    CHECK_STATUS(quorate_term_check(other.handle), QUORATE_LOST);
    OK(quorate_client_close(second, LIMIT));
    CHECK(other.destroyed == 1);
}

/* Polls until so many results have come. */
static void poll_until(quorate_client_t client, seen_t *seen, int results) {
    const quorate_result *taken[16];
    size_t count;
    while (seen->results < results) {
        OK(quorate_client_poll(client, LIMIT, taken, 16, &count));
        for (size_t i = 0; i < count; i++)
            take(seen, taken[i]);
    }
}

void test_polling(void) {
    seen_t seen, watched;
    memset(&seen, 0, sizeof seen);
    memset(&watched, 0, sizeof watched);
    quorate_client_options options = {.size = sizeof options,
                                      .polled = 1,
                                      .state = on_state,
                                      .user = &seen,
                                      .destroy = on_destroy};
    quorate_client_t client = connect_with(&options);
    const quorate_result *taken[4];
    size_t count;
    int32_t fd;
    empty(client, "/c-polling");
    OK(quorate_client_poll_fd(client, &fd));

    OK(quorate_get_async(client, "/c-polling", 1));
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    CHECK(poll(&readable, 1, LIMIT) == 1);
    poll_until(client, &seen, 1);
    CHECK(seen.last_status == QUORATE_OK);
    while (seen.last_state != QUORATE_STATE_CONNECTED)
        OK(quorate_client_poll(client, LIMIT, taken, 4, &count));
    OK(quorate_client_poll(client, 0, taken, 4, &count));
    CHECK(count == 0 && poll(&readable, 1, 0) == 0);

    for (int i = 0; i < 1000; i++)
        OK(quorate_get_async(client, "/c-polling", (uint64_t)i));
    poll_until(client, &seen, 1001);
    CHECK(seen.last_token == 999 && seen.failures == 0);

    /* More than fits: the descriptor stays readable. */
    for (int i = 0; i < 9; i++)
        OK(quorate_get_async(client, "/c-polling", 7));
    OK(quorate_get(client, "/c-polling", LIMIT, NULL));
    OK(quorate_client_poll(client, LIMIT, taken, 4, &count));
    CHECK(count == 4 && taken[0]->token == 7 && taken[3]->data_length == 0);
    CHECK(poll(&readable, 1, 0) == 1);
    seen.results += 4;
    poll_until(client, &seen, 1010);

    /* Watches are called while polling, before the result that shows the new state. */
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = on_event, .user = &watched, .destroy = on_destroy};
    quorate_watch_t watch;
    OK(quorate_watch(client, "/c-polling", QUORATE_WATCH_RECURSIVE, &watcher, LIMIT, &watch));
    OK(quorate_create_async(client, "/c-polling/a", NULL, 0, NULL, 1));
    poll_until(client, &seen, 1011);
    CHECK(watched.events == 1 && watched.last_kind == QUORATE_EVENT_CREATED);

    /* One that is closed in its callback is told nothing more, though more was there. */
    seen_t unwatched = {.unwatch = 1};
    watcher.user = &unwatched;
    OK(quorate_watch(client, "/c-polling", QUORATE_WATCH_RECURSIVE, &watcher, LIMIT, &watch));
    for (int i = 0; i < 3; i++)
        OK(quorate_set(client, "/c-polling/a", BYTES("x"), -1, LIMIT, NULL));
    OK(quorate_client_poll(client, LIMIT, taken, 4, &count));
    CHECK(unwatched.events == 1 && unwatched.destroyed == 1 && watched.events == 4);

    /* What is under way when it is closed is there to be polled; then it is over. */
    for (int i = 0; i < 1000; i++)
        OK(quorate_set_async(client, "/c-polling/a", BYTES("x"), -1, 1));
    OK(quorate_client_close(client, LIMIT));
    CHECK(seen.destroyed == 0);
    CHECK_STATUS(quorate_client_close(client, LIMIT), QUORATE_CLOSED);
    CHECK_STATUS(quorate_get_async(client, "/c-polling", 1), QUORATE_CLOSING);
    CHECK_STATUS(
        quorate_watch(client, "/c-polling", QUORATE_WATCH_NODE, &watcher, LIMIT, &watch),
        QUORATE_CLOSING);
    for (int32_t status = QUORATE_OK; status != QUORATE_CLOSED;) {
        status = quorate_client_poll(client, LIMIT, taken, 4, &count);
        CHECK(status == QUORATE_OK || (status == QUORATE_CLOSED && count == 0));
        for (size_t i = 0; i < count; i++)
            take(&seen, taken[i]);
    }
    CHECK(seen.results == 2011 && seen.destroyed == 1 && watched.destroyed == 1);
    CHECK(seen.last_state == QUORATE_STATE_CLOSED && watched.ended == 1);
    CHECK_STATUS(quorate_client_poll(client, 0, taken, 4, &count), QUORATE_CLOSED);

    /* With nothing to be told, closing is the end. */
    options.state = NULL;
    memset(&seen, 0, sizeof seen);
    client = connect_with(&options);
    OK(quorate_client_close(client, LIMIT));
    CHECK(seen.destroyed == 1);
    CHECK_STATUS(quorate_client_poll(client, 0, taken, 4, &count), QUORATE_CLOSED);
}

/* Submits until it is refused, each time with an answer before the next one: nothing is on its
 * way. */
static int fill(quorate_client_t client) {
    for (int accepted = 0; accepted < 100; accepted++) {
        int32_t status = quorate_get_async(client, "/", 1);
        if (status != QUORATE_OK) {
            CHECK(status == QUORATE_THROTTLED_OP);
            return accepted;
        }
        OK(quorate_get(client, "/", LIMIT, NULL));
    }
    return -1;
}

/* What was not polled counts as under way: who polls too little is refused more. */
void test_room(void) {
    seen_t seen;
    memset(&seen, 0, sizeof seen);
    quorate_client_options options = {.size = sizeof options, .polled = 1, .max_in_flight = 8};
    quorate_client_t client = connect_with(&options);
    const quorate_result *taken[2];
    size_t count;
    for (int round = 1; round <= 3; round++) {
        CHECK(fill(client) == 8);
        /* What is taken makes room for as many, once, however few are polled at a time. */
        OK(quorate_client_poll(client, LIMIT, taken, 2, &count));
        CHECK(count == 2 && fill(client) == 8);
        OK(quorate_client_poll(client, LIMIT, taken, 2, &count));
        CHECK(count == 2 && fill(client) == 0);
        seen.results += 4;
        poll_until(client, &seen, 16 * round);
        CHECK(seen.failures == 0);
    }
    OK(quorate_client_close(client, LIMIT));
}

static void *close_it(void *client) {
    OK(quorate_client_close(*(quorate_client_t *)client, LIMIT));
    return NULL;
}

static void *submit_until_closed(void *client) {
    int64_t accepted = 0;
    while (quorate_set_async(*(quorate_client_t *)client, "/c-closing", BYTES("y"), -1, 1) ==
           QUORATE_OK)
        accepted++;
    return (void *)(intptr_t)accepted;
}

void test_closing(void) {
    seen_t seen, watched;
    quorate_client_t client = open_called(&seen);
    empty(client, "/c-closing");

    /* In a callback. */
    seen.close = client;
    OK(quorate_get_async(client, "/c-closing", 1));
    AWAIT(seen.destroyed == 1);
    CHECK(seen.closed_with == QUORATE_OK && seen.results == 1);
    CHECK_STATUS(quorate_client_close(client, LIMIT), QUORATE_CLOSED);

    /* With a thousand operations under way: each is told once. */
    client = open_called(&seen);
    for (int i = 0; i < 1000; i++)
        OK(quorate_set_async(client, "/c-closing", BYTES("x"), -1, 1));
    OK(quorate_client_close(client, LIMIT));
    CHECK(seen.results == 1000 && seen.destroyed == 1);

    /* In the callback of a watch, with a thousand under way. */
    client = open_called(&seen);
    memset(&watched, 0, sizeof watched);
    watched.close = client;
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = on_event, .user = &watched, .destroy = on_destroy};
    quorate_watch_t watch;
    OK(quorate_watch(client, "/c-closing", QUORATE_WATCH_NODE, &watcher, LIMIT, &watch));
    int accepted = 0;
    while (accepted < 1000 &&
           quorate_set_async(client, "/c-closing", BYTES("x"), -1, 1) == QUORATE_OK)
        accepted++;
    AWAIT(seen.destroyed == 1);
    CHECK(seen.results == accepted && watched.destroyed == 1 && watched.ended == 1);

    /* While another thread submits: each that was accepted is told. */
    for (int round = 0; round < 10; round++) {
        pthread_t closer, submitter;
        void *submitted;
        client = open_called(&seen);
        CHECK(pthread_create(&submitter, NULL, submit_until_closed, &client) == 0);
        CHECK(pthread_create(&closer, NULL, close_it, &client) == 0);
        CHECK(pthread_join(submitter, &submitted) == 0 && pthread_join(closer, NULL) == 0);
        CHECK(seen.results == (intptr_t)submitted && seen.destroyed == 1);
    }

    /* A blocking call of another thread ends, wherever it has come to. */
    for (int round = 0; round < 50; round++) {
        client = open_called(&seen);
        quorate_held_t held;
        OK(quorate_lock_acquire(client, "/c-closing/lock", NULL, LIMIT, &held));
        pthread_t closer;
        CHECK(pthread_create(&closer, NULL, close_it, &client) == 0);
        CHECK(quorate_lock_acquire(client, "/c-closing/lock", NULL, LIMIT, &held) ==
              QUORATE_CLOSING);
        CHECK(pthread_join(closer, NULL) == 0);
    }
}

void test_watches(void) {
    seen_t seen;
    quorate_client_t client = connect_plainly();
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = on_event, .user = &seen, .destroy = on_destroy};
    empty(client, "/c-watches");

    memset(&seen, 0, sizeof seen);
    OK(quorate_exists_and_watch(client, "/c-watches/a", &watcher, LIMIT, &result));
    CHECK(result.exists == 0 && result.handle != 0);
    OK(quorate_create(client, "/c-watches/a", NULL, 0, NULL, LIMIT, NULL));
    AWAIT(seen.destroyed == 1);
    CHECK(seen.events == 1 && seen.last_kind == QUORATE_EVENT_CREATED);
    CHECK(strcmp(seen.path, "/c-watches/a") == 0);
    CHECK_STATUS(quorate_watch_close(result.handle), QUORATE_CLOSED);

    memset(&seen, 0, sizeof seen);
    OK(quorate_get_and_watch(client, "/c-watches/a", &watcher, LIMIT, &result));
    OK(quorate_set(client, "/c-watches/a", BYTES("x"), 0, LIMIT, NULL));
    AWAIT(seen.destroyed == 1);
    CHECK(seen.last_kind == QUORATE_EVENT_CHANGED);

    memset(&seen, 0, sizeof seen);
    OK(quorate_children_and_watch(client, "/c-watches", &watcher, LIMIT, &result));
    CHECK(result.children_count == 1);
    OK(quorate_delete(client, "/c-watches/a", -1, LIMIT));
    AWAIT(seen.destroyed == 1);
    CHECK(seen.last_kind == QUORATE_EVENT_CHILDREN);

    /* Closed before it fires: nothing is told, and the user pointer is destroyed. */
    memset(&seen, 0, sizeof seen);
    OK(quorate_exists_and_watch(client, "/c-watches/a", &watcher, LIMIT, &result));
    OK(quorate_watch_close(result.handle));
    CHECK_STATUS(quorate_watch_close(result.handle), QUORATE_CLOSED);
    AWAIT(seen.destroyed == 1);
    OK(quorate_create(client, "/c-watches/a", NULL, 0, NULL, LIMIT, NULL));
    CHECK(seen.events == 0);

    /* Persistent. */
    quorate_watch_t watch;
    memset(&seen, 0, sizeof seen);
    OK(quorate_watch(client, "/c-watches", QUORATE_WATCH_RECURSIVE, &watcher, LIMIT, &watch));
    OK(quorate_set(client, "/c-watches/a", BYTES("x"), 0, LIMIT, NULL));
    OK(quorate_create(client, "/c-watches/a/b", NULL, 0, NULL, LIMIT, NULL));
    OK(quorate_delete(client, "/c-watches/a/b", -1, LIMIT));
    AWAIT(seen.events == 3);
    CHECK(seen.last_kind == QUORATE_EVENT_DELETED && seen.destroyed == 0);
    OK(quorate_watch_close(watch));
    AWAIT(seen.destroyed == 1);

    /* The end of a client is told to its watches. */
    memset(&seen, 0, sizeof seen);
    OK(quorate_watch(client, "/c-watches", QUORATE_WATCH_NODE, &watcher, LIMIT, &watch));
    OK(quorate_client_close(client, LIMIT));
    CHECK(seen.ended == 1 && seen.destroyed == 1);
    CHECK_STATUS(quorate_watch_close(watch), QUORATE_CLOSED);
    OK(quorate_result_clear(&result));
}
