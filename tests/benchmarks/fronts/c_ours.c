/* What libquorate does: `c_ours ADDRESS`, see README.md. */
#include "c_measure.h"
#include <quorate.h>

static quorate_client_t client;

static void demand(int32_t status) {
    if (status == QUORATE_OK)
        return;
    fprintf(stderr, "%s\n", quorate_error_message(quorate_last_error()));
    exit(1);
}

static void on_results(void *user, const quorate_result *const *results, size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++)
        demand(results[i]->status);
    ended(count);
}

static void get_async(void) { demand(quorate_get_async(client, NODE, 0)); }

static void set_async(void) {
    demand(quorate_set_async(client, NODE, data, sizeof data, QUORATE_ANY_VERSION, 0));
}

static quorate_result result;

static void get(void) { demand(quorate_get(client, NODE, QUORATE_NO_LIMIT, &result)); }

/* From nothing to the first answer of a server of one's own, ms. */
static double ready(void) {
    quorate_server_options hidden = {.size = sizeof hidden, .port = QUORATE_PORT_NONE};
    quorate_client_options options = {.size = sizeof options};
    double start = now();
    demand(quorate_server_start(&hidden, &options.server));
    demand(quorate_client_connect(&options, 10000, &client));
    demand(quorate_get(client, "/", QUORATE_NO_LIMIT, &result));
    double took = now() - start;
    demand(quorate_client_close(client, 10000));
    demand(quorate_server_stop(options.server));
    return took * 1000;
}

static int by_size(const void *one, const void *two) {
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    result = QUORATE_RESULT_INIT;
    begin();
    quorate_client_options options = {
        .size = sizeof options, .servers = argv[1], .completion = on_results};
    demand(quorate_client_connect(&options, 10000, &client));
    tell("get, alone", alone(get));
    tell("get, 1000 in flight", in_flight(get_async));
    tell("set, 1000 in flight", in_flight(set_async));
    demand(quorate_client_close(client, 10000));

    quorate_server_t server;
    quorate_server_options hidden = {.size = sizeof hidden, .port = QUORATE_PORT_NONE};
    demand(quorate_server_start(&hidden, &server));
    quorate_client_options inside = {
        .size = sizeof inside, .server = server, .completion = on_results};
    demand(quorate_client_connect(&inside, 10000, &client));
    demand(quorate_create(client, NODE, data, sizeof data, NULL, 10000, NULL));
    tell("get, in process", alone(get));
    tell("get, in process, 1000 in flight", in_flight(get_async));
    demand(quorate_client_close(client, 10000));
    demand(quorate_server_stop(server));

    double times[20];
    for (int i = 0; i < 20; i++)
        times[i] = ready();
    qsort(times, 20, sizeof *times, by_size);
    tell("server ready", times[10]);
    return 0;
}
