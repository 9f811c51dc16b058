/* The lock and the election. */
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_int reason, destroyed;

static void on_lost(void *user, int32_t why) {
    (void)user;
    CHECK(reason == 0);
    reason = why;
}

static void on_destroy(void *user) {
    (void)user;
    destroyed++;
}

static void await_empty(quorate_client_t client, const char *path) {
    quorate_result children = QUORATE_RESULT_INIT;
    for (int waited = 0;; waited += 5) {
        int32_t status = quorate_children(client, path, LIMIT, &children);
        /* A container: the server may have removed it, now that it is empty. */
        if (status == QUORATE_NO_NODE || (status == QUORATE_OK && children.children_count == 0))
            break;
        OK(status);
        CHECK(waited < LIMIT);
        pause_ms(5);
    }
    OK(quorate_result_clear(&children));
}

void test_lock(void) {
    quorate_client_t one = connect_plainly(), two = connect_plainly();
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_held_t first, second;
    quorate_multi_t multi;
    int64_t token, next;
    int32_t why;
    char path[128];
    empty(one, "/c-lock");

    quorate_lock_options options = {
        .size = sizeof options, .data = (const uint8_t *)"me", .data_length = 2};
    OK(quorate_lock_acquire(one, "/c-lock/l", &options, LIMIT, &first));
    OK(quorate_held_token(first, &token));
    OK(quorate_held_check(first));
    OK(quorate_held_path(first, path, sizeof path));
    CHECK(token > 0 && strncmp(path, "/c-lock/l/", 10) == 0);
    OK(quorate_get(two, path, LIMIT, &result));
    CHECK(result.data_length == 2 && memcmp(result.data, "me", 2) == 0);
    CHECK_STATUS(quorate_lock_try_acquire(two, "/c-lock/l", NULL, LIMIT, &second),
                 QUORATE_BUSY);
    CHECK_STATUS(quorate_lock_acquire(two, "/c-lock/l", NULL, 30, &second), QUORATE_TIMED_OUT);
    CHECK(second == 0);
    CHECK_STATUS(quorate_held_wait_lost(first, 10, &why), QUORATE_TIMED_OUT);

    /* Guarded. */
    OK(quorate_held_guarded(first, &multi));
    OK(quorate_multi_create(multi, "/c-lock/guarded", NULL, 0, NULL));
    OK(quorate_multi_commit(multi, LIMIT, NULL));
    OK(quorate_held_guarded(first, &multi));
    OK(quorate_multi_delete(multi, "/c-lock/guarded", QUORATE_ANY_VERSION));
    OK(quorate_held_on_lost(first, on_lost, NULL, on_destroy));
    OK(quorate_held_release(first, LIMIT));
    CHECK_STATUS(quorate_held_release(first, LIMIT), QUORATE_CLOSED);
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, NULL), QUORATE_NO_NODE);
    AWAIT(destroyed == 1);
    CHECK(reason == 0);

    OK(quorate_lock_try_acquire(two, "/c-lock/l", NULL, LIMIT, &second));
    OK(quorate_held_token(second, &next));
    CHECK(next > token);

    /* Lost, because somebody deletes the node. */
    OK(quorate_held_path(second, path, sizeof path));
    OK(quorate_held_on_lost(second, on_lost, NULL, on_destroy));
    OK(quorate_delete(one, path, QUORATE_ANY_VERSION, LIMIT));
    AWAIT(destroyed == 2);
    CHECK(reason == QUORATE_LOST_DELETED);
    OK(quorate_held_wait_lost(second, LIMIT, &why));
    CHECK(why == QUORATE_LOST_DELETED);
    OK(quorate_held_release(second, LIMIT));
    await_empty(one, "/c-lock/l");

    /* Lost with its client. */
    reason = 0;
    OK(quorate_lock_acquire(two, "/c-lock/l", NULL, LIMIT, &second));
    OK(quorate_held_on_lost(second, on_lost, NULL, on_destroy));
    OK(quorate_client_close(two, LIMIT));
    CHECK(destroyed == 3 && reason == QUORATE_LOST_SESSION);
    OK(quorate_lock_acquire(one, "/c-lock/l", NULL, LIMIT, &first));
    OK(quorate_held_release(first, LIMIT));
    OK(quorate_result_clear(&result));
    OK(quorate_client_close(one, LIMIT));
}

void test_election(void) {
    quorate_client_t one = connect_plainly(), two = connect_plainly();
    quorate_election_t first, second;
    quorate_term_t term, again, next;
    quorate_multi_t multi;
    int64_t token, later;
    int32_t leads;
    empty(one, "/c-election");
    reason = destroyed = 0;

    quorate_election_options options = {.size = sizeof options,
                                        .policy = QUORATE_LEAD_UNTIL_LOST,
                                        .id = (const uint8_t *)"one",
                                        .id_length = 3};
    OK(quorate_election_join(one, "/c-election/e", &options, &first));
    OK(quorate_election_lead(first, LIMIT, &term));
    OK(quorate_election_join(two, "/c-election/e", NULL, &second));
    CHECK_STATUS(quorate_election_lead(second, 30, &next), QUORATE_TIMED_OUT);
    OK(quorate_election_is_leader(first, &leads));
    CHECK(leads == 1);
    OK(quorate_election_is_leader(second, &leads));
    CHECK(leads == 0);
    OK(quorate_term_token(term, &token));
    OK(quorate_term_check(term));
    OK(quorate_election_lead(first, LIMIT, &again));
    OK(quorate_term_close(again));
    CHECK_STATUS(quorate_term_close(again), QUORATE_CLOSED);
    OK(quorate_term_guarded(term, &multi));
    OK(quorate_multi_create(multi, "/c-election/done", NULL, 0, NULL));
    OK(quorate_multi_commit(multi, LIMIT, NULL));

    /* Steps down: the other one follows. */
    OK(quorate_term_on_lost(term, on_lost, NULL, on_destroy));
    OK(quorate_term_guarded(term, &multi));
    OK(quorate_multi_set(multi, "/c-election/done", NULL, 0, QUORATE_ANY_VERSION));
    OK(quorate_election_leave(first, LIMIT));
    CHECK_STATUS(quorate_term_check(term), QUORATE_LOST);
    OK(quorate_term_wait_lost(term, LIMIT));
    AWAIT(destroyed == 1);
    CHECK(reason == QUORATE_LOST_TERM);
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, NULL), QUORATE_NO_NODE);
    OK(quorate_term_close(term));
    OK(quorate_election_lead(second, LIMIT, &next));
    OK(quorate_term_token(next, &later));
    CHECK(later > token);
    CHECK_STATUS(quorate_election_leave(first, LIMIT), QUORATE_CLOSED);

    /* Nobody is told any more of a term whose handle is closed. */
    reason = 0;
    OK(quorate_term_on_lost(next, on_lost, NULL, on_destroy));
    OK(quorate_term_close(next));
    AWAIT(destroyed == 2);
    OK(quorate_client_close(two, LIMIT));
    CHECK(reason == 0);
    OK(quorate_client_close(one, LIMIT));
}
