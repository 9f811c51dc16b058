/* Runs the tests of the C interface, all or those named.
 *
 *   suite [test …]
 *
 * QUORATE_TEST_SERVERS is a server to use instead of one in this process; its tree below
 * /c-tests is emptied. */
#include "check.h"
#include <time.h>

static quorate_server_t server;
static const char *servers;

void pause_ms(int ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

quorate_client_t connect_with(quorate_client_options *options) {
    quorate_client_options plain = {.size = sizeof plain};
    quorate_client_t client;
    options = options ? options : &plain;
    if (servers)
        options->servers = servers;
    else
        options->server = server;
    OK(quorate_client_connect(options, LIMIT, &client));
    CHECK(client != 0);
    return client;
}

quorate_client_t connect_plainly(void) { return connect_with(NULL); }

void empty(quorate_client_t client, const char *path) {
    quorate_result children = QUORATE_RESULT_INIT;
    int32_t status = quorate_children(client, path, LIMIT, &children);
    if (status == QUORATE_OK)
        for (size_t i = 0; i < children.children_count; i++) {
            char child[512];
            snprintf(child, sizeof child, "%s/%s", path, children.children[i]);
            empty(client, child);
            OK(quorate_delete(client, child, QUORATE_ANY_VERSION, LIMIT));
        }
    else
        OK(quorate_create(client, path, NULL, 0, NULL, LIMIT, NULL));
    OK(quorate_result_clear(&children));
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"nodes", test_nodes},         {"options", test_options}, {"access", test_access},
    {"deadlines", test_deadlines}, {"servers", test_servers}, {"misuse", test_misuse},
    {"panic", test_panic},         {"fork", test_fork},       {"callbacks", test_callbacks},
    {"polling", test_polling},     {"room", test_room},       {"closing", test_closing},
    {"watches", test_watches},     {"lock", test_lock},       {"election", test_election},
};

static int is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return 1;
    return argc == 1;
}

int main(int argc, char **argv) {
    CHECK(quorate_abi_version() >= QUORATE_ABI_VERSION);
    servers = getenv("QUORATE_TEST_SERVERS");
    if (!servers) {
        quorate_server_options options = {.size = sizeof options, .port = QUORATE_PORT_NONE};
        OK(quorate_server_start(&options, &server));
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (!is_wanted(tests[i].name, argc, argv))
            continue;
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].run();
    }
    if (!servers)
        OK(quorate_server_stop(server));
    return 0;
}
