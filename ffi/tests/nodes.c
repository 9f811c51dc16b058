/* Operations on nodes, results, errors, structs of other versions, servers. */
#include "check.h"
#include <unistd.h>

static void check_data(quorate_client_t client, const char *path, const char *expected) {
    quorate_result result = QUORATE_RESULT_INIT;
    OK(quorate_get(client, path, LIMIT, &result));
    CHECK(result.data_length == strlen(expected));
    CHECK(memcmp(result.data, expected, result.data_length) == 0);
    OK(quorate_result_clear(&result));
}

void test_nodes(void) {
    quorate_client_t client = connect_plainly();
    quorate_result result = QUORATE_RESULT_INIT;
    empty(client, "/c-nodes");

    OK(quorate_create(client, "/c-nodes/a", BYTES("one"), NULL, LIMIT, &result));
    CHECK(strcmp(result.path, "/c-nodes/a") == 0 && result.stat.czxid > 0);
    CHECK(result.status == QUORATE_OK && result.error == NULL);
    OK(quorate_get(client, "/c-nodes/a", LIMIT, &result));
    CHECK(result.data_length == 3 && memcmp(result.data, "one", 3) == 0);
    CHECK(result.stat.version == 0 && result.stat.data_length == 3 && result.stat.ctime > 0);
    CHECK(result.path == NULL);
    OK(quorate_set(client, "/c-nodes/a", NULL, 0, 0, LIMIT, &result));
    CHECK(result.stat.version == 1);
    OK(quorate_get(client, "/c-nodes/a", LIMIT, &result));
    CHECK(result.data != NULL && result.data_length == 0);
    OK(quorate_exists(client, "/c-nodes/a", LIMIT, &result));
    CHECK(result.exists == 1 && result.stat.version == 1);
    OK(quorate_exists(client, "/c-nodes/none", LIMIT, &result));
    CHECK(result.exists == 0 && result.stat.czxid == 0);
    OK(quorate_children(client, "/c-nodes/a", LIMIT, &result));
    CHECK(result.children != NULL && result.children_count == 0);
    OK(quorate_sync(client, "/c-nodes", LIMIT));

    /* Errors: in the result and of the thread. */
    CHECK_STATUS(quorate_set(client, "/c-nodes/a", BYTES("x"), 7, LIMIT, &result),
                 QUORATE_BAD_VERSION);
    CHECK(result.status == QUORATE_BAD_VERSION && result.error != NULL);
    CHECK(strcmp(quorate_error_path(result.error), "/c-nodes/a") == 0);
    CHECK(strcmp(quorate_error_operation(result.error), "setData") == 0);
    CHECK(strcmp(quorate_error_name(result.error), "BadVersion") == 0);
    CHECK(quorate_error_outcome_unknown(result.error) == 0);
    CHECK(quorate_error_part(result.error) == -1);
    CHECK(quorate_error_code(quorate_last_error()) == QUORATE_BAD_VERSION);
    CHECK(strstr(quorate_error_message(quorate_last_error()), "/c-nodes/a") != NULL);
    CHECK_STATUS(quorate_create(client, "no slash", NULL, 0, NULL, LIMIT, NULL),
                 QUORATE_BAD_ARGUMENTS);

    /* All modes. */
    for (int32_t mode = 0; mode <= QUORATE_PERSISTENT_SEQUENTIAL_TTL; mode++) {
        quorate_create_options options = {.size = sizeof options, .mode = mode};
        char path[64];
        if (mode >= QUORATE_PERSISTENT_TTL)
            options.ttl_ms = 60000;
        snprintf(path, sizeof path, "/c-nodes/m%d-", (int)mode);
        OK(quorate_create(client, path, BYTES("d"), &options, LIMIT, &result));
        int numbered = mode == QUORATE_PERSISTENT_SEQUENTIAL ||
                       mode == QUORATE_EPHEMERAL_SEQUENTIAL ||
                       mode == QUORATE_PERSISTENT_SEQUENTIAL_TTL;
        CHECK(strlen(result.path) == strlen(path) + (numbered ? 10 : 0));
        int ephemeral = mode == QUORATE_EPHEMERAL || mode == QUORATE_EPHEMERAL_SEQUENTIAL;
        CHECK((result.stat.ephemeral_owner != 0) == ephemeral);
    }
    OK(quorate_children(client, "/c-nodes", LIMIT, &result));
    CHECK(result.children_count == 8 && result.stat.num_children == 8);

    /* Multi. */
    quorate_multi_t multi;
    OK(quorate_multi_open(client, &multi));
    OK(quorate_multi_create(multi, "/c-nodes/x", BYTES("1"), NULL));
    OK(quorate_multi_set(multi, "/c-nodes/x", BYTES("2"), 0));
    OK(quorate_multi_check(multi, "/c-nodes/x", 1));
    OK(quorate_multi_delete(multi, "/c-nodes/a", QUORATE_ANY_VERSION));
    OK(quorate_multi_commit(multi, LIMIT, &result));
    CHECK(result.parts_count == 4 && strcmp(result.parts[0]->path, "/c-nodes/x") == 0);
    CHECK(result.parts[1]->stat.version == 1 && result.parts[2]->path == NULL);
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, &result), QUORATE_CLOSED);
    check_data(client, "/c-nodes/x", "2");
    OK(quorate_multi_open(client, &multi));
    OK(quorate_multi_delete(multi, "/c-nodes/x", QUORATE_ANY_VERSION));
    OK(quorate_multi_check(multi, "/c-nodes/x", 9));
    CHECK_STATUS(quorate_multi_commit(multi, LIMIT, &result), QUORATE_NO_NODE);
    CHECK(quorate_error_part(result.error) == 1);
    CHECK(strcmp(quorate_error_path(result.error), "/c-nodes/x") == 0);
    check_data(client, "/c-nodes/x", "2");
    OK(quorate_multi_open(client, &multi));
    OK(quorate_multi_close(multi));

    OK(quorate_result_clear(&result));
    OK(quorate_client_close(client, LIMIT));
}

void test_options(void) {
    /* A longer struct of a newer header: fine as long as it uses nothing new. */
    struct {
        quorate_create_options options;
        int64_t news;
    } newer = {{.size = sizeof newer, .mode = QUORATE_EPHEMERAL}, 0};
    /* A shorter one of an older header: the rest has its default. */
    struct {
        size_t size;
        int32_t mode;
    } older = {12, QUORATE_EPHEMERAL};
    quorate_client_t client = connect_plainly();
    quorate_result result = QUORATE_RESULT_INIT;
    empty(client, "/c-options");
    OK(quorate_create(client, "/c-options/new", NULL, 0, &newer.options, LIMIT, &result));
    CHECK(result.stat.ephemeral_owner != 0);
    OK(quorate_create(client, "/c-options/old", NULL, 0,
                      (const quorate_create_options *)(const void *)&older, LIMIT, &result));
    CHECK(result.stat.ephemeral_owner != 0);
    newer.news = 1;
    CHECK_STATUS(
        quorate_create(client, "/c-options/no", NULL, 0, &newer.options, LIMIT, &result),
        QUORATE_INVALID_ARGUMENT);
    newer.options.size = 0;
    CHECK_STATUS(
        quorate_create(client, "/c-options/no", NULL, 0, &newer.options, LIMIT, &result),
        QUORATE_INVALID_ARGUMENT);

    /* Session: resumed by another client. */
    quorate_session session = {.size = sizeof session};
    OK(quorate_client_session(client, &session));
    CHECK(session.id != 0 && session.timeout_ms > 0);
    OK(quorate_client_abandon(client, LIMIT));
    quorate_client_options resuming = {.size = sizeof resuming,
                                       .session_id = session.id,
                                       .session_password = session.password,
                                       .session_password_length = sizeof session.password};
    quorate_client_t next = connect_with(&resuming);
    OK(quorate_exists(next, "/c-options/new", LIMIT, &result));
    CHECK(result.exists && result.stat.ephemeral_owner == session.id);
    int32_t state;
    OK(quorate_client_state(next, &state));
    CHECK(state == QUORATE_STATE_CONNECTED);
    OK(quorate_client_wait_connected(next, LIMIT));
    OK(quorate_client_close(next, LIMIT));

    /* A root; and that the ephemeral node went with its session. */
    quorate_client_options below = {.size = sizeof below, .root = "/c-options"};
    client = connect_with(&below);
    OK(quorate_exists(client, "/new", LIMIT, &result));
    CHECK(!result.exists);
    OK(quorate_create(client, "/below", NULL, 0, NULL, LIMIT, &result));
    CHECK(strcmp(result.path, "/below") == 0);
    OK(quorate_client_close(client, LIMIT));
    OK(quorate_result_clear(&result));
}

void test_servers(void) {
    char directory[] = "/tmp/quorate-c-XXXXXX", address[64], data[64];
    CHECK(mkdtemp(directory) != NULL);
    snprintf(data, sizeof data, "%s/data", directory);
    quorate_server_options durable = {
        .size = sizeof durable, .data_dir = data, .settings = "tickTime=500\n# nothing\n"};
    for (int round = 0; round < 2; round++) {
        quorate_server_t server;
        quorate_client_t client;
        int32_t port;
        OK(quorate_server_start(&durable, &server));
        OK(quorate_server_port(server, &port));
        OK(quorate_server_address(server, address, sizeof address));
        CHECK(port > 0 && strncmp(address, "127.0.0.1:", 10) == 0);
        CHECK_STATUS(quorate_server_address(server, address, 5), QUORATE_INVALID_ARGUMENT);
        OK(quorate_server_address(server, address, sizeof address));
        quorate_client_options over_tcp = {.size = sizeof over_tcp, .servers = address};
        OK(quorate_client_connect(&over_tcp, LIMIT, &client));
        quorate_result result = QUORATE_RESULT_INIT;
        OK(quorate_exists(client, "/kept", LIMIT, &result));
        CHECK(result.exists == round);
        if (round == 0)
            OK(quorate_create(client, "/kept", NULL, 0, NULL, LIMIT, NULL));
        OK(quorate_result_clear(&result));
        OK(quorate_client_close(client, LIMIT));
        OK(quorate_server_stop(server));
        CHECK_STATUS(quorate_server_stop(server), QUORATE_CLOSED);
    }
    char remove[128];
    snprintf(remove, sizeof remove, "rm -r %s", directory);
    CHECK(system(remove) == 0);

    /* In memory, on no port, two at once. */
    quorate_server_options hidden = {.size = sizeof hidden, .port = QUORATE_PORT_NONE};
    quorate_server_t one, two;
    int32_t port;
    OK(quorate_server_start(&hidden, &one));
    OK(quorate_server_start(NULL, &two));
    OK(quorate_server_port(one, &port));
    CHECK(port == QUORATE_PORT_NONE);
    OK(quorate_server_address(one, address, sizeof address));
    CHECK(strcmp(address, "") == 0);
    quorate_client_options inside = {.size = sizeof inside, .server = one};
    quorate_client_t client;
    OK(quorate_client_connect(&inside, LIMIT, &client));
    OK(quorate_create(client, "/a", NULL, 0, NULL, LIMIT, NULL));
    OK(quorate_client_close(client, LIMIT));
    OK(quorate_server_stop(one));
    CHECK_STATUS(quorate_client_open(&inside, &client), QUORATE_CLOSED);
    OK(quorate_server_stop(two));
    hidden.settings = "tickTime=never";
    CHECK_STATUS(quorate_server_start(&hidden, &one), QUORATE_INVALID_ARGUMENT);
    hidden.settings = NULL;
    hidden.data_dir = "/dev/null/no";
    CHECK_STATUS(quorate_server_start(&hidden, &one), QUORATE_SERVER_FAILED);
}
