// What the groups of the libzookeeper test share: checks that end the program with a
// readable line, recorders for watch events, waiting for asynchronous completions.

#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

// Ends the program with what was expected and where.
#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition))                                                                      \
            fail(__FILE__, __LINE__, #condition, "is false");                                  \
    } while (0)

// Checks a return code of the library by name.
#define RC(expected, call)                                                                     \
    do {                                                                                       \
        int rc_ = (call);                                                                      \
        if (rc_ != (expected))                                                                 \
            fail_rc(__FILE__, __LINE__, #call, (expected), rc_);                               \
    } while (0)

#define OK(call) RC(ZOK, call)

// One watch event as the library delivered it.
typedef struct {
    int type;
    int state;
    char path[200];
} Event;

// Collects the events of one watcher; the watcher's context.
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Event events[512];
    int count;
    int taken;
} Recorder;

// The result of one asynchronous call; its completion's data pointer.
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int rc;
    char text[256];
    int length;
    struct Stat stat;
    int children;
    int32_t first_perms;
    int order;
} Result;

_Noreturn void fail(const char *file, int line, const char *what, const char *why);
_Noreturn void fail_rc(const char *file, int line, const char *call, int expected, int got);

// host:port of the server under test.
extern const char *address;

Recorder *new_recorder(void);
// The watcher_fn for every recorder.
void record(zhandle_t *zh, int type, int state, const char *path, void *context);
// The next event must be this one; waits for it. `path` NULL: any path.
void expect_event(Recorder *recorder, int type, const char *path);
void expect_session_event(Recorder *recorder, int state);
// No event has come that was not expected; asks the server first, so that whatever it
// sent before its answer has been delivered.
void expect_no_event(zhandle_t *zh, Recorder *recorder);

// A connected session; `id` NULL asks for a new one.
zhandle_t *open_session(const char *suffix, Recorder *recorder, const clientid_t *id);
// Creates the node that a group works below and returns its path in `path`.
void make_root(zhandle_t *zh, const char *name, char *path);
// `base` + "/" + `name`, in one of a few static buffers.
const char *under(const char *base, const char *name);

Result *new_result(void);
// Waits for the completion and checks its code.
void expect_done(Result *result, int rc);
void done_void(int rc, const void *data);
void done_stat(int rc, const struct Stat *stat, const void *data);
void done_data(int rc, const char *value, int length, const struct Stat *stat,
               const void *data);
void done_strings(int rc, const struct String_vector *strings, const void *data);
void done_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat,
                       const void *data);
void done_string(int rc, const char *value, const void *data);
void done_string_stat(int rc, const char *value, const struct Stat *stat, const void *data);
void done_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data);

// The groups, one per file or concern; main.c lists them.
void test_nodes(void);
void test_errors(void);
void test_ttl_and_containers(void);
void test_async(void);
void test_async_order(void);
void test_watches(void);
void test_async_watches(void);
void test_remove_watches(void);
void test_multi(void);
void test_failed_multi(void);
void test_access(void);
void test_failed_auth(void);
void test_session(void);
void test_session_resume(void);
void test_session_expiry(void);
void test_session_lost(void);
void test_chroot(void);
void test_config(void);
void test_handle(void);

#endif
