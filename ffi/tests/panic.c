/* Panics end at the boundary, as a status, and leave nothing to be done with the handle but to
 * close it.
 *
 * The library under test is the one that is shipped, without anything that panics on purpose.
 * But a clock that cannot be read is a panic of Rust's standard library; and this program's
 * clock_gettime comes before that of the C library. */
#include "check.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int clock_is_broken;

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (clock_is_broken) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

#define PANICS(call)                                                                           \
    do {                                                                                       \
        clock_is_broken = 1;                                                                   \
        int32_t panicked_ = (call);                                                            \
        clock_is_broken = 0;                                                                   \
        CHECK_STATUS(panicked_, QUORATE_PANICKED);                                             \
    } while (0)

static atomic_int destroyed, states, results, events, ended;

static void on_destroy(void *user) {
    (void)user;
    destroyed++;
}

static void on_state(void *user, int32_t state) {
    (void)user, (void)state;
    CHECK(destroyed == 0);
    states++;
}

static void on_results(void *user, const quorate_result *const *taken, size_t count) {
    (void)user, (void)taken;
    CHECK(destroyed == 0);
    results += (int)count;
}

/* A call that panics within a callback. */
static void on_event(void *user, const quorate_event *event) {
    quorate_held_t held = *(quorate_held_t *)user;
    if (event->kind == QUORATE_EVENT_ENDED) {
        ended++;
        return;
    }
    PANICS(quorate_held_wait_lost(held, LIMIT, NULL));
    events++;
}

/* Nobody listens there: whoever waits for a session waits, and looks at the clock. */
static quorate_client_options nowhere(int polled) {
    quorate_client_options options = {.size = sizeof options,
                                      .servers = "127.0.0.1:1",
                                      .polled = polled,
                                      .completion = polled ? NULL : on_results,
                                      .state = on_state,
                                      .destroy = on_destroy};
    destroyed = states = results = 0;
    return options;
}

static void poisoned_client(void) {
    quorate_client_options options = nowhere(0);
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_client_t client = 7;
    int32_t number;

    /* Without a handle: what was handed over is destroyed. */
    PANICS(quorate_client_connect(&options, LIMIT, &client));
    CHECK(client == 0 && destroyed == 1);
    CHECK(strstr(quorate_error_message(quorate_last_error()), "defect") != NULL);

    options = nowhere(0);
    OK(quorate_client_open(&options, &client));
    OK(quorate_get_async(client, "/", 1));
    PANICS(quorate_client_wait_connected(client, LIMIT));
    CHECK_STATUS(quorate_client_wait_connected(client, 0), QUORATE_PANICKED);
    CHECK_STATUS(quorate_get(client, "/", 0, &result), QUORATE_PANICKED);
    CHECK_STATUS(quorate_get_async(client, "/", 2), QUORATE_PANICKED);
    CHECK_STATUS(quorate_client_state(client, &number), QUORATE_PANICKED);
    CHECK(destroyed == 0);
    OK(quorate_client_close(client, LIMIT));
    CHECK(destroyed == 1 && results == 1 && states > 0);
    CHECK_STATUS(quorate_client_close(client, LIMIT), QUORATE_CLOSED);
    OK(quorate_result_clear(&result));
}

/* Who polls can do so to the end, once the client is closed. */
static void poisoned_polled_client(void) {
    quorate_client_options options = nowhere(1);
    const quorate_result *taken[4];
    quorate_client_t client;
    size_t count, told = 0;
    OK(quorate_client_open(&options, &client));
    for (int i = 0; i < 6; i++)
        OK(quorate_get_async(client, "/", 1));
    PANICS(quorate_client_wait_connected(client, LIMIT));
    CHECK_STATUS(quorate_client_poll(client, 0, taken, 4, &count), QUORATE_PANICKED);
    OK(quorate_client_close(client, LIMIT));
    CHECK(destroyed == 0);
    for (int32_t status = QUORATE_OK; status != QUORATE_CLOSED; told += count) {
        status = quorate_client_poll(client, LIMIT, taken, 4, &count);
        CHECK(status == QUORATE_OK || (status == QUORATE_CLOSED && count == 0));
    }
    CHECK(told == 6 && destroyed == 1 && states > 0);
}

/* In a callback. The lock can still be released, and everything else goes on. */
static void poisoned_lock(void) {
    quorate_server_t server;
    quorate_client_t client;
    quorate_held_t held, again;
    quorate_watch_t watch;
    char address[64];
    /* Behind a socket: one without has its rounds on the calling threads, and would panic, too.
     */
    OK(quorate_server_start(NULL, &server));
    OK(quorate_server_address(server, address, sizeof address));
    quorate_client_options options = {.size = sizeof options, .servers = address};
    OK(quorate_client_connect(&options, LIMIT, &client));
    empty(client, "/c-panic");
    OK(quorate_lock_acquire(client, "/c-panic/lock", NULL, LIMIT, &held));
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = on_event, .user = &held, .destroy = on_destroy};
    destroyed = events = ended = 0;
    OK(quorate_watch(client, "/c-panic", QUORATE_WATCH_NODE, &watcher, LIMIT, &watch));
    OK(quorate_create(client, "/c-panic/a", NULL, 0, NULL, LIMIT, NULL));
    AWAIT(events == 1);
    CHECK_STATUS(quorate_held_check(held), QUORATE_PANICKED);
    OK(quorate_create(client, "/c-panic/b", NULL, 0, NULL, LIMIT, NULL));
    AWAIT(events == 2);
    CHECK_STATUS(quorate_lock_try_acquire(client, "/c-panic/lock", NULL, LIMIT, &again),
                 QUORATE_BUSY);
    OK(quorate_held_release(held, LIMIT));
    CHECK_STATUS(quorate_held_release(held, LIMIT), QUORATE_CLOSED);
    OK(quorate_lock_acquire(client, "/c-panic/lock", NULL, LIMIT, &again));
    OK(quorate_held_release(again, LIMIT));
    OK(quorate_client_close(client, LIMIT));
    CHECK(destroyed == 1 && ended == 1);
    OK(quorate_server_stop(server));
}

void test_panic(void) {
    poisoned_client();
    poisoned_polled_client();
    poisoned_lock();
}
