/* A server in this process, a client of it, a lock, and a write that depends on the lock. */
#include <quorate.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, quorate_error_message(quorate_last_error()));
    return 1;
}

int main(void) {
    quorate_server_t server;
    if (quorate_server_start(NULL, &server) != QUORATE_OK)
        return failed("server");
    quorate_client_options options = {.size = sizeof options, .server = server};
    quorate_client_t client;
    if (quorate_client_connect(&options, 10000, &client) != QUORATE_OK)
        return failed("connect");

    quorate_held_t held;
    int64_t token;
    if (quorate_lock_acquire(client, "/locks/report", NULL, 10000, &held) != QUORATE_OK ||
        quorate_held_token(held, &token) != QUORATE_OK)
        return failed("lock");
    printf("fencing token %lld\n", (long long)token);

    quorate_multi_t multi;
    const char *text = "done";
    quorate_held_guarded(held, &multi);
    quorate_multi_create(multi, "/report", (const uint8_t *)text, strlen(text), NULL);
    if (quorate_multi_commit(multi, 10000, NULL) != QUORATE_OK)
        return failed("write");

    quorate_result result = QUORATE_RESULT_INIT;
    if (quorate_get(client, "/report", 10000, &result) != QUORATE_OK)
        return failed("read");
    printf("/report: %.*s\n", (int)result.data_length, (const char *)result.data);
    quorate_result_clear(&result);

    quorate_held_release(held, 10000);
    quorate_client_close(client, 10000);
    quorate_server_stop(server);
    return 0;
}
