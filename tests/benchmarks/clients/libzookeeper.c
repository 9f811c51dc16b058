/* What libzookeeper costs: `libzookeeper MODE SERVERS COUNT`, as client_bench.rs. Modes get and
 * set. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { WINDOW = 1000 };

static sem_t room;
static sem_t connected;

static void watch(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        sem_post(&connected);
}

static void got(int rc, const char *value, int length, const struct Stat *stat,
                const void *data) {
    (void)value, (void)length, (void)stat, (void)data;
    if (rc != ZOK)
        exit(1);
    sem_post(&room);
}

static void written(int rc, const struct Stat *stat, const void *data) {
    (void)stat, (void)data;
    if (rc != ZOK)
        exit(1);
    sem_post(&room);
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(zhandle_t *handle, int write, long count) {
    char data[100];
    memset(data, 7, sizeof data);
    sem_init(&room, 0, WINDOW);
    for (long i = 0; i < count; i++) {
        sem_wait(&room);
        int rc = write ? zoo_aset(handle, "/bench", data, sizeof data, -1, written, NULL)
                       : zoo_aget(handle, "/bench", 0, got, NULL);
        if (rc != ZOK)
            exit(1);
    }
    for (int i = 0; i < WINDOW; i++)
        sem_wait(&room);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    int write = strcmp(argv[1], "set") == 0;
    long count = atol(argv[3]);
    sem_init(&connected, 0, 0);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *handle = zookeeper_init(argv[2], watch, 30000, NULL, NULL, 0);
    sem_wait(&connected);
    char data[100] = {7};
    zoo_create(handle, "/bench", data, sizeof data, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    run(handle, write, count / 10);
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    run(handle, write, count);
    double seconds = now(CLOCK_MONOTONIC) - start;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"ops\": %ld, \"seconds\": %f, \"cpu\": %f}\n", count, seconds, cpu);
    zookeeper_close(handle);
    return 0;
}
