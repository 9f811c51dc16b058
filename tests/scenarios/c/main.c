/* Runs the scenarios with the C interface: `scenarios-c FILE`. Against a server in this
 * process, with and without a socket; or against QUORATE_TEST_SERVERS. */
#include "scenarios.h"
#include <unistd.h>

quorate_client_options connection;

static void run_all(json_object *scenarios) {
    quorate_client_t client;
    char home[64], root[256];
    snprintf(home, sizeof home, "/c-%ld", (long)getpid());
    NEED(quorate_client_connect(&connection, LIMIT, &client));
    NEED(quorate_create(client, home, NULL, 0, NULL, LIMIT, NULL));
    for (size_t i = 0; i < json_object_array_length(scenarios); i++) {
        json_object *scenario = json_object_array_get_idx(scenarios, i);
        json_object *steps = member(scenario, "steps");
        snprintf(root, sizeof root, "%s/%s", home, text(scenario, "name"));
        NEED(quorate_create(client, root, NULL, 0, NULL, LIMIT, NULL));
        connection.root = root;
        forget_saved();
        for (size_t number = 0; number < json_object_array_length(steps); number++) {
            json_object *step = filled_in(json_object_array_get_idx(steps, number));
            json_object *result = run_step(step);
            judge(step, result);
            json_object_put(result);
            json_object_put(step);
        }
        end_scenario();
        connection.root = NULL;
        printf("%s\n", text(scenario, "name"));
    }
    NEED(quorate_client_close(client, LIMIT));
}

int main(int argc, char **argv) {
    json_object *scenarios = argc == 2 ? json_object_from_file(argv[1]) : NULL;
    if (!scenarios || json_object_array_length(scenarios) == 0)
        FAIL("scenarios-c FILE: %s", json_util_get_last_err());
    connection.size = sizeof connection;
    connection.servers = getenv("QUORATE_TEST_SERVERS");
    if (connection.servers) {
        run_all(scenarios);
    } else {
        quorate_server_t server;
        char address[64];
        NEED(quorate_server_start(NULL, &server));
        NEED(quorate_server_address(server, address, sizeof address));
        connection.servers = address;
        run_all(scenarios);
        NEED(quorate_server_stop(server));
        NEED(quorate_server_start(NULL, &server));
        connection.servers = NULL;
        connection.server = server;
        run_all(scenarios);
        NEED(quorate_server_stop(server));
    }
    json_object_put(scenarios);
    forget_saved();
    return 0;
}
