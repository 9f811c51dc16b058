/* A program of somebody else's. */
#include <quorate.h>
#include <stdio.h>

int main(void) {
    quorate_server_t server;
    quorate_client_t client;
    if (quorate_server_start(NULL, &server) != QUORATE_OK)
        return 1;
    quorate_client_options options = {.size = sizeof options, .server = server};
    if (quorate_client_connect(&options, 10000, &client) != QUORATE_OK)
        return 1;
    if (quorate_create(client, "/a", NULL, 0, NULL, 10000, NULL) != QUORATE_OK)
        return 1;
    quorate_client_close(client, 10000);
    quorate_server_stop(server);
    printf("C with quorate %s\n", quorate_version());
    return 0;
}
