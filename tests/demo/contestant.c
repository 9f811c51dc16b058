/* Stands for leadership, leads, and stands again: the C contestant of the demonstration.
 *
 *   contestant ADDRESS NAME
 *
 * Tells what happens in lines: `waiting NAME`, `leading NAME TOKEN`, `wrote NAME TOKEN`, `lost
 * NAME`, `left NAME`. While it leads, it writes
 * `/demo/leader` every 50 ms, guarded by its leadership. The line `step down` on its input ends
 * it. */
#include <poll.h>
#include <quorate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *name;

static void tell(const char *what, int64_t token) {
    if (token)
        printf("%s %s %lld\n", what, name, (long long)token);
    else
        printf("%s %s\n", what, name);
    fflush(stdout);
}

static void demand(int32_t status) {
    if (status == QUORATE_OK)
        return;
    fprintf(stderr, "%s: %s\n", name, quorate_error_message(quorate_last_error()));
    exit(1);
}

/* Waits so many milliseconds for the order to step down. */
static int ordered_down(int ms) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];
    if (poll(&input, 1, ms) <= 0)
        return 0;
    return fgets(line, sizeof line, stdin) == NULL || strcmp(line, "step down\n") == 0;
}

static int32_t write_guarded(quorate_term_t term, const char *value) {
    quorate_multi_t multi;
    int32_t status = quorate_term_guarded(term, &multi);
    if (status != QUORATE_OK)
        return status;
    demand(quorate_multi_set(multi, "/demo/leader", (const uint8_t *)value, strlen(value),
                             QUORATE_ANY_VERSION));
    return quorate_multi_commit(multi, 10000, NULL);
}

/* Leads until the term is over or it is ordered down; answers whether it was. A write that
 * fails ends the term: it may have happened. */
static int lead(quorate_term_t term) {
    int64_t token;
    char value[256];
    demand(quorate_term_token(term, &token));
    tell("leading", token);
    for (long written = 0;; written++) {
        int length = snprintf(value, sizeof value, "%s %lld", name, (long long)token);
        if (written > 0)
            snprintf(value + length, sizeof value - (size_t)length, " %ld", written);
        if (write_guarded(term, value) != QUORATE_OK) {
            tell("lost", 0);
            return 0;
        }
        if (written == 0)
            tell("wrote", token);
        if (ordered_down(50))
            return 1;
    }
}

/* Takes part until it has led; answers whether it was ordered down. */
static int take_part(quorate_client_t client) {
    quorate_election_options as = {
        .size = sizeof as, .id = (const uint8_t *)name, .id_length = strlen(name)};
    quorate_election_t election;
    quorate_term_t term = 0;
    int down = 0;
    demand(quorate_election_join(client, "/demo/latch", &as, &election));
    tell("waiting", 0);
    while (!down && !term) {
        int32_t status = quorate_election_lead(election, 50, &term);
        if (status != QUORATE_TIMED_OUT)
            demand(status);
        down = ordered_down(0);
    }
    if (term) {
        down = lead(term) || down;
        demand(quorate_term_close(term));
    }
    int32_t status = quorate_election_leave(election, 10000);
    /* After a loss the node may be gone, or the connection. */
    if (down)
        demand(status);
    return down;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "contestant ADDRESS NAME\n");
        return 2;
    }
    name = argv[2];
    quorate_client_options options = {
        .size = sizeof options, .servers = argv[1], .session_timeout_ms = 2000};
    quorate_client_t client;
    demand(quorate_client_connect(&options, 30000, &client));
    while (!take_part(client))
        continue;
    tell("left", 0);
    demand(quorate_client_close(client, 10000));
    return 0;
}
