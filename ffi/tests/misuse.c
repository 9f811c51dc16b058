/* What must be refused, and never crash. */
#include "check.h"
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int destroyed;

static void count_destroyed(void *user) {
    (void)user;
    destroyed++;
}

static void no_event(void *user, const quorate_event *event) {
    (void)user;
    (void)event;
}

static void no_loss(void *user, int32_t reason) {
    (void)user;
    (void)reason;
}

static void no_state(void *user, int32_t state) {
    (void)user;
    (void)state;
    CHECK(destroyed == 0);
}

#define REFUSED(call) CHECK_STATUS(call, QUORATE_INVALID_HANDLE)

/* Every function that takes a handle refuses what is none of its kind. What is handed over with
 * it is destroyed. */
static void refuse(uint64_t bad, int is_client) {
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_session session = {.size = sizeof session};
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = no_event, .destroy = count_destroyed};
    quorate_client_options inside = {.size = sizeof inside, .server = bad};
    const quorate_result *results[1];
    const uint8_t *data = (const uint8_t *)"x";
    char text[64];
    size_t count;
    int64_t token;
    int32_t number;
    uint64_t out;
    destroyed = 0;

    REFUSED(quorate_server_address(bad, text, sizeof text));
    REFUSED(quorate_server_port(bad, &number));
    REFUSED(quorate_server_stop(bad));
    if (bad != 0)
        REFUSED(quorate_client_open(&inside, &out));
    REFUSED(quorate_multi_create(bad, "/a", data, 1, NULL));
    REFUSED(quorate_multi_set(bad, "/a", data, 1, QUORATE_ANY_VERSION));
    REFUSED(quorate_multi_delete(bad, "/a", QUORATE_ANY_VERSION));
    REFUSED(quorate_multi_check(bad, "/a", QUORATE_ANY_VERSION));
    REFUSED(quorate_multi_commit(bad, LIMIT, &result));
    REFUSED(quorate_multi_commit_async(bad, 1));
    REFUSED(quorate_multi_close(bad));
    REFUSED(quorate_watch_close(bad));
    REFUSED(quorate_call_cancel(bad));
    REFUSED(quorate_held_token(bad, &token));
    REFUSED(quorate_held_path(bad, text, sizeof text));
    REFUSED(quorate_held_check(bad));
    REFUSED(quorate_held_guarded(bad, &out));
    REFUSED(quorate_held_on_lost(bad, no_loss, NULL, count_destroyed));
    REFUSED(quorate_held_wait_lost(bad, LIMIT, &number));
    REFUSED(quorate_held_release(bad, LIMIT));
    REFUSED(quorate_held_release_async(bad, 1));
    REFUSED(quorate_election_lead(bad, LIMIT, &out));
    REFUSED(quorate_election_lead_async(bad, LIMIT, 1, &out));
    REFUSED(quorate_election_is_leader(bad, &number));
    REFUSED(quorate_election_leave(bad, LIMIT));
    REFUSED(quorate_election_leave_async(bad, 1));
    REFUSED(quorate_term_token(bad, &token));
    REFUSED(quorate_term_check(bad));
    REFUSED(quorate_term_guarded(bad, &out));
    REFUSED(quorate_term_on_lost(bad, no_loss, NULL, count_destroyed));
    REFUSED(quorate_term_wait_lost(bad, LIMIT));
    REFUSED(quorate_term_close(bad));
    CHECK(destroyed == 2);
    if (is_client)
        return;

    REFUSED(quorate_client_wait_connected(bad, LIMIT));
    REFUSED(quorate_client_state(bad, &number));
    REFUSED(quorate_client_session(bad, &session));
    REFUSED(quorate_client_poll_fd(bad, &number));
    REFUSED(quorate_client_poll(bad, LIMIT, results, 1, &count));
    REFUSED(quorate_client_close(bad, LIMIT));
    REFUSED(quorate_client_abandon(bad, LIMIT));
    REFUSED(quorate_create(bad, "/a", data, 1, NULL, LIMIT, &result));
    REFUSED(quorate_get(bad, "/a", LIMIT, &result));
    REFUSED(quorate_set(bad, "/a", data, 1, QUORATE_ANY_VERSION, LIMIT, &result));
    REFUSED(quorate_delete(bad, "/a", QUORATE_ANY_VERSION, LIMIT));
    REFUSED(quorate_exists(bad, "/a", LIMIT, &result));
    REFUSED(quorate_children(bad, "/a", LIMIT, &result));
    REFUSED(quorate_sync(bad, "/a", LIMIT));
    REFUSED(quorate_create_async(bad, "/a", data, 1, NULL, 1));
    REFUSED(quorate_get_async(bad, "/a", 1));
    REFUSED(quorate_set_async(bad, "/a", data, 1, QUORATE_ANY_VERSION, 1));
    REFUSED(quorate_delete_async(bad, "/a", QUORATE_ANY_VERSION, 1));
    REFUSED(quorate_exists_async(bad, "/a", 1));
    REFUSED(quorate_children_async(bad, "/a", 1));
    REFUSED(quorate_sync_async(bad, "/a", 1));
    REFUSED(quorate_watch(bad, "/a", QUORATE_WATCH_NODE, &watcher, LIMIT, &out));
    REFUSED(quorate_watch_async(bad, "/a", QUORATE_WATCH_NODE, &watcher, 1));
    REFUSED(quorate_get_and_watch(bad, "/a", &watcher, LIMIT, &result));
    REFUSED(quorate_get_and_watch_async(bad, "/a", &watcher, 1));
    REFUSED(quorate_exists_and_watch(bad, "/a", &watcher, LIMIT, &result));
    REFUSED(quorate_exists_and_watch_async(bad, "/a", &watcher, 1));
    REFUSED(quorate_children_and_watch(bad, "/a", &watcher, LIMIT, &result));
    REFUSED(quorate_children_and_watch_async(bad, "/a", &watcher, 1));
    REFUSED(quorate_multi_open(bad, &out));
    REFUSED(quorate_lock_acquire(bad, "/a", NULL, LIMIT, &out));
    REFUSED(quorate_lock_try_acquire(bad, "/a", NULL, LIMIT, &out));
    REFUSED(quorate_lock_acquire_async(bad, "/a", NULL, LIMIT, 1, &out));
    REFUSED(quorate_election_join(bad, "/a", NULL, &out));
    CHECK(destroyed == 10);
}

void test_misuse(void) {
    quorate_client_t client = connect_plainly(), other;
    quorate_server_t server;
    quorate_result result = QUORATE_RESULT_INIT, copy;
    uint64_t out = 7;
    size_t count;
    int32_t number;
    empty(client, "/c-misuse");

    /* No handle, a made-up one, one of another kind. */
    const uint64_t bad[] = {0, 1, UINT64_MAX, client ^ (UINT64_C(3) << 56),
                            client ^ (UINT64_C(1) << 30)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(bad[i], 0);
    refuse(client, 1);

    /* NULL. */
    CHECK_STATUS(quorate_get(client, NULL, LIMIT, &result), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_get(client, "\xff", LIMIT, &result), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_set(client, "/", NULL, 1, -1, LIMIT, &result),
                 QUORATE_INVALID_ARGUMENT);
    OK(quorate_get(client, "/", LIMIT, NULL));
    CHECK_STATUS(quorate_client_open(NULL, NULL), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_server_start(NULL, NULL), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_client_state(client, NULL), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_client_session(client, NULL), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_multi_open(client, NULL), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_lock_acquire(client, "/c-misuse/l", NULL, 0, NULL),
                 QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_lock_acquire(client, NULL, NULL, 0, &out), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_watch(client, "/", QUORATE_WATCH_NODE, NULL, LIMIT, &out),
                 QUORATE_INVALID_ARGUMENT);
    OK(quorate_result_clear(NULL));
    CHECK(quorate_error_code(NULL) == QUORATE_OK && strcmp(quorate_error_path(NULL), "") == 0);
    CHECK(quorate_error_part(NULL) == -1 && strcmp(quorate_error_message(NULL), "") == 0);
    CHECK(strcmp(quorate_status_name(12345), "Unknown") == 0);

    /* Values that are none. */
    quorate_create_options options = {.size = sizeof options, .mode = 99};
    CHECK_STATUS(quorate_create(client, "/c-misuse/a", NULL, 0, &options, LIMIT, &result),
                 QUORATE_INVALID_ARGUMENT);
    options.mode = QUORATE_PERSISTENT_TTL;
    options.ttl_ms = -1;
    CHECK_STATUS(quorate_create(client, "/c-misuse/a", NULL, 0, &options, LIMIT, &result),
                 QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_client_poll_fd(client, &number), QUORATE_INVALID_ARGUMENT);
    const quorate_result *results[1];
    CHECK_STATUS(quorate_client_poll(client, 0, results, 1, &count), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_get_async(client, "/", 1), QUORATE_INVALID_ARGUMENT);
    quorate_server_options port = {.size = sizeof port, .port = 70000};
    CHECK_STATUS(quorate_server_start(&port, &server), QUORATE_INVALID_ARGUMENT);
    quorate_client_options connect = {.size = sizeof connect, .servers = "h:port:x"};
    CHECK_STATUS(quorate_client_open(&connect, &other), QUORATE_BAD_ARGUMENTS);
    for (int polled = 0; polled < 2; polled++) {
        quorate_client_options nobody = {.size = sizeof nobody,
                                         .servers = "127.0.0.1:1",
                                         .polled = polled,
                                         .state = no_state,
                                         .destroy = count_destroyed};
        destroyed = 0;
        CHECK_STATUS(quorate_client_connect(&nobody, 50, &other), QUORATE_TIMED_OUT);
        /* A callback of the client's own thread may just be running. */
        if (!polled)
            AWAIT(destroyed == 1);
        CHECK(destroyed == 1 && other == 0);
    }

    /* Whatever fails, what was handed over is destroyed. */
    destroyed = 0;
    quorate_watcher watcher = {.size = sizeof watcher, .destroy = count_destroyed};
    CHECK_STATUS(quorate_watch(client, "/", QUORATE_WATCH_NODE, &watcher, LIMIT, &out),
                 QUORATE_INVALID_ARGUMENT);
    CHECK(destroyed == 1);
    watcher.event = no_event;
    CHECK_STATUS(quorate_watch(0, "/", QUORATE_WATCH_NODE, &watcher, LIMIT, &out),
                 QUORATE_INVALID_HANDLE);
    CHECK_STATUS(quorate_watch(client, "/", 9, &watcher, LIMIT, &out),
                 QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_get_and_watch(client, "/c-misuse/none", &watcher, LIMIT, &result),
                 QUORATE_NO_NODE);
    CHECK(destroyed == 4 && result.handle == 0);
    CHECK_STATUS(quorate_held_on_lost(0, no_loss, NULL, count_destroyed),
                 QUORATE_INVALID_HANDLE);
    CHECK(destroyed == 5);
    connect.servers = "h:port:x";
    connect.destroy = count_destroyed;
    CHECK_STATUS(quorate_client_open(&connect, &other), QUORATE_BAD_ARGUMENTS);
    CHECK(destroyed == 6);

    /* Results: never set up, cleared twice, copied and cleared twice. */
    quorate_result rubbish;
    memset(&rubbish, 0, sizeof rubbish);
    CHECK_STATUS(quorate_get(client, "/", LIMIT, &rubbish), QUORATE_INVALID_ARGUMENT);
    memset(&rubbish, 0x5a, sizeof rubbish);
    CHECK_STATUS(quorate_get(client, "/", LIMIT, &rubbish), QUORATE_INVALID_ARGUMENT);
    CHECK_STATUS(quorate_result_clear(&rubbish), QUORATE_INVALID_ARGUMENT);
    OK(quorate_get(client, "/", LIMIT, &result));
    copy = result;
    OK(quorate_result_clear(&result));
    OK(quorate_result_clear(&result));
    CHECK(result.data == NULL && result.memory == 0);
    CHECK_STATUS(quorate_result_clear(&copy), QUORATE_CLOSED);
    OK(quorate_result_clear(&copy));

    /* Closed twice, and used after that; what was made with it is closed too. */
    quorate_multi_t multi;
    quorate_held_t held;
    quorate_election_t election;
    OK(quorate_multi_open(client, &multi));
    OK(quorate_lock_acquire(client, "/c-misuse/lock", NULL, LIMIT, &held));
    OK(quorate_election_join(client, "/c-misuse/election", NULL, &election));
    OK(quorate_client_close(client, LIMIT));
    CHECK_STATUS(quorate_client_close(client, LIMIT), QUORATE_CLOSED);
    CHECK_STATUS(quorate_get(client, "/a", LIMIT, &result), QUORATE_CLOSING);
    CHECK(strcmp(quorate_error_path(result.error), "") == 0 ||
          strcmp(quorate_error_path(quorate_last_error()), "/a") == 0);
    CHECK_STATUS(quorate_get_async(client, "/a", 1), QUORATE_CLOSING);
    CHECK_STATUS(quorate_multi_set(multi, "/a", NULL, 0, -1), QUORATE_CLOSED);
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, NULL), QUORATE_CLOSED);
    CHECK_STATUS(quorate_held_check(held), QUORATE_LOST);
    OK(quorate_held_guarded(held, &multi));
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, NULL), QUORATE_SESSION_EXPIRED);
    OK(quorate_held_release(held, LIMIT));
    CHECK_STATUS(quorate_held_release(held, LIMIT), QUORATE_CLOSED);
    OK(quorate_election_leave(election, LIMIT));
    CHECK_STATUS(quorate_election_leave(election, LIMIT), QUORATE_CLOSED);
    OK(quorate_client_state(client, &number));
    CHECK(number == QUORATE_STATE_CLOSED);
}

static void begin_anew(void) {
    quorate_server_t server;
    quorate_client_t client;
    quorate_held_t held;
    OK(quorate_server_start(NULL, &server));
    quorate_client_options options = {.size = sizeof options, .server = server};
    OK(quorate_client_connect(&options, LIMIT, &client));
    OK(quorate_lock_acquire(client, "/lock", NULL, LIMIT, &held));
    OK(quorate_held_release(held, LIMIT));
    OK(quorate_client_close(client, LIMIT));
    OK(quorate_server_stop(server));
}

/* A child has nothing of its parent's, and does no harm to it; it can begin anew. */
void test_fork(void) {
    quorate_client_t client = connect_plainly();
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_held_t held;
    empty(client, "/c-fork");
    OK(quorate_lock_acquire(client, "/c-fork/lock", NULL, LIMIT, &held));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_STATUS(quorate_get(client, "/", LIMIT, &result), QUORATE_FORKED);
        CHECK_STATUS(quorate_held_check(held), QUORATE_FORKED);
        CHECK_STATUS(quorate_held_release(held, LIMIT), QUORATE_FORKED);
        CHECK_STATUS(quorate_client_close(client, LIMIT), QUORATE_FORKED);
        CHECK_STATUS(quorate_get_async(client, "/", 1), QUORATE_FORKED);
        begin_anew();
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(quorate_held_check(held));
    OK(quorate_get(client, "/c-fork", LIMIT, &result));
    OK(quorate_held_release(held, LIMIT));
    OK(quorate_result_clear(&result));
    OK(quorate_client_close(client, LIMIT));
}
