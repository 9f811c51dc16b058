/* What libzookeeper does: `c_libzookeeper ADDRESS`, see README.md. */
#include "c_measure.h"
#include <zookeeper/zookeeper.h>

static zhandle_t *handle;
static sem_t connected;

static void demand(int rc) {
    if (rc == ZOK)
        return;
    fprintf(stderr, "%s\n", zerror(rc));
    exit(1);
}

static void watch(zhandle_t *from, int type, int state, const char *path, void *context) {
    (void)from, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        sem_post(&connected);
}

static void got(int rc, const char *value, int length, const struct Stat *stat,
                const void *user) {
    (void)value, (void)length, (void)stat, (void)user;
    demand(rc);
    ended(1);
}

static void written(int rc, const struct Stat *stat, const void *user) {
    (void)stat, (void)user;
    demand(rc);
    ended(1);
}

static void get_async(void) { demand(zoo_aget(handle, NODE, 0, got, NULL)); }

static void set_async(void) {
    demand(zoo_aset(handle, NODE, (const char *)data, sizeof data, -1, written, NULL));
}

static void get(void) {
    char value[200];
    int length = sizeof value;
    demand(zoo_get(handle, NODE, 0, value, &length, NULL));
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    begin();
    sem_init(&connected, 0, 0);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    handle = zookeeper_init(argv[1], watch, 30000, NULL, NULL, 0);
    sem_wait(&connected);
    tell("get, alone", alone(get));
    tell("get, 1000 in flight", in_flight(get_async));
    tell("set, 1000 in flight", in_flight(set_async));
    zookeeper_close(handle);
    return 0;
}
