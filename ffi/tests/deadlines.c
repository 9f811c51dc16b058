/* Time limits. */
#include "check.h"
#include <stdatomic.h>

static atomic_int destroyed;

static void on_event(void *user, const quorate_event *event) {
    (void)user, (void)event;
    CHECK(destroyed == 0);
}

static void on_destroy(void *user) {
    (void)user;
    destroyed++;
}

static void check_timed_out(int32_t status, int outcome_unknown) {
    CHECK_STATUS(status, QUORATE_TIMED_OUT);
    CHECK(quorate_error_code(quorate_last_error()) == QUORATE_TIMED_OUT);
    CHECK(quorate_error_outcome_unknown(quorate_last_error()) == outcome_unknown);
}

/* Nobody listens there, so that nothing is ever done; of a write one cannot know. */
void test_deadlines(void) {
    quorate_client_options nowhere = {.size = sizeof nowhere, .servers = "127.0.0.1:1"};
    quorate_watcher watcher = {
        .size = sizeof watcher, .event = on_event, .destroy = on_destroy};
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_client_t client;
    quorate_multi_t multi;
    quorate_election_t election;
    uint64_t none = 7;
    OK(quorate_client_open(&nowhere, &client));
    for (int64_t limit = 0; limit <= 10; limit += 10) {
        check_timed_out(quorate_client_wait_connected(client, limit), 0);
        check_timed_out(quorate_get(client, "/", limit, &result), 0);
        CHECK(result.status == QUORATE_TIMED_OUT && result.data == NULL);
        check_timed_out(quorate_exists(client, "/", limit, NULL), 0);
        check_timed_out(quorate_children(client, "/", limit, NULL), 0);
        check_timed_out(quorate_sync(client, "/", limit), 0);
        check_timed_out(quorate_create(client, "/a", NULL, 0, NULL, limit, NULL), 1);
        check_timed_out(quorate_set(client, "/a", NULL, 0, -1, limit, &result), 1);
        CHECK(quorate_error_outcome_unknown(result.error) == 1);
        check_timed_out(quorate_delete(client, "/a", -1, limit), 1);
        OK(quorate_multi_open(client, &multi));
        OK(quorate_multi_delete(multi, "/a", -1));
        check_timed_out(quorate_multi_commit(multi, limit, NULL), 1);
        check_timed_out(quorate_lock_acquire(client, "/a", NULL, limit, &none), 0);
        check_timed_out(quorate_lock_try_acquire(client, "/a", NULL, limit, &none), 0);
        OK(quorate_election_join(client, "/a", NULL, &election));
        check_timed_out(quorate_election_lead(election, limit, &none), 0);
        check_timed_out(quorate_election_leave(election, limit), 0);
        CHECK(none == 0);

        /* Who watches is not told any more, and has everything back. */
        destroyed = 0;
        check_timed_out(quorate_watch(client, "/", QUORATE_WATCH_NODE, &watcher, limit, &none),
                        0);
        CHECK(destroyed == 1 && none == 0);
        check_timed_out(quorate_get_and_watch(client, "/", &watcher, limit, &result), 0);
        CHECK(destroyed == 2 && result.handle == 0);
    }
    OK(quorate_result_clear(&result));
    OK(quorate_client_close(client, LIMIT));
}
