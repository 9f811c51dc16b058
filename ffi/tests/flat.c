/* Memory, threads and descriptors stay flat while clients come and go, and over many operations
 * of one.
 *
 *   flat [--long]
 */
#include "check.h"
#include <dirent.h>
#include <malloc.h>
#include <time.h>

static quorate_server_t server;

static long number_after(const char *label) {
    char line[256];
    long number = -1;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status))
        if (strncmp(line, label, strlen(label)) == 0)
            number = atol(line + strlen(label));
    fclose(status);
    return number;
}

static long descriptors(void) {
    long count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void take(void *user, const quorate_result *const *results, size_t count) {
    (void)results;
    __atomic_add_fetch((long *)user, (long)count, __ATOMIC_SEQ_CST);
}

static void ignore(void *user, const quorate_event *event) {
    (void)user;
    (void)event;
}

/* One client with a bit of everything. */
static void come_and_go(int polled) {
    static long taken;
    quorate_client_options options = {
        .size = sizeof options, .server = server, .polled = polled};
    if (!polled) {
        options.completion = take;
        options.user = &taken;
    }
    quorate_client_t client;
    quorate_held_t held;
    quorate_watch_t watch;
    quorate_result result = QUORATE_RESULT_INIT;
    quorate_watcher watcher = {.size = sizeof watcher, .event = ignore};
    OK(quorate_client_connect(&options, LIMIT, &client));
    OK(quorate_get(client, "/", LIMIT, &result));
    OK(quorate_watch(client, "/", QUORATE_WATCH_NODE, &watcher, LIMIT, &watch));
    OK(quorate_get_async(client, "/", 1));
    OK(quorate_lock_acquire(client, "/lock", NULL, LIMIT, &held));
    OK(quorate_held_release(held, LIMIT));
    OK(quorate_client_close(client, LIMIT));
    while (polled) {
        const quorate_result *results[8];
        size_t count;
        if (quorate_client_poll(client, LIMIT, results, 8, &count) == QUORATE_CLOSED)
            break;
    }
    OK(quorate_result_clear(&result));
}

static void operate(quorate_client_t client, quorate_result *result) {
    CHECK_STATUS(quorate_get(client, "/none", LIMIT, result), QUORATE_NO_NODE);
    OK(quorate_get(client, "/", LIMIT, result));
    OK(quorate_exists(client, "/none", LIMIT, result));
    OK(quorate_children(client, "/", LIMIT, result));
    OK(quorate_set(client, "/lock", BYTES("x"), QUORATE_ANY_VERSION, LIMIT, result));
}

/* Threads that end by themselves need a moment. */
static void settle(long threads, long fds) {
    for (int waited = 0; number_after("Threads:") > threads || descriptors() > fds;
         waited += 5) {
        CHECK(waited < LIMIT);
        pause_ms(5);
    }
    malloc_trim(0);
}

void pause_ms(int ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
    int is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
    long clients = is_long ? 100000 : 500, operations = is_long ? 1000000 : 20000;
    quorate_server_options hidden = {.size = sizeof hidden, .port = QUORATE_PORT_NONE};
    OK(quorate_server_start(&hidden, &server));
    quorate_client_options options = {.size = sizeof options, .server = server};
    quorate_client_t client;
    quorate_result result = QUORATE_RESULT_INIT;
    OK(quorate_client_connect(&options, LIMIT, &client));

    /* Warm up: allocators keep what they have had once. */
    for (long i = 0; i < clients / 10; i++)
        come_and_go(i % 2);
    for (long i = 0; i < operations / 50; i++)
        operate(client, &result);
    pause_ms(100);
    long threads = number_after("Threads:"), fds = descriptors();
    settle(threads, fds);
    long before = number_after("VmRSS:");
    for (long i = 0; i < clients; i++)
        come_and_go(i % 2);
    settle(threads, fds);
    long between = number_after("VmRSS:");
    for (long i = 0; i < operations / 5; i++)
        operate(client, &result);
    settle(threads, fds);
    long after = number_after("VmRSS:");
    printf(
        "%ld clients: %ld to %ld kB; %ld operations: to %ld kB; %ld threads, %ld descriptors\n",
        clients, before, between, operations, after, threads, fds);
    CHECK(between < before + 4096 && after < between + 4096);
    OK(quorate_result_clear(&result));
    OK(quorate_client_close(client, LIMIT));
    OK(quorate_server_stop(server));
    return 0;
}
