/* What the tests of the C interface share. */
#ifndef CHECK_H
#define CHECK_H

#include <quorate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Much longer than anything here takes; a test that gets there has failed. */
#define LIMIT 60000

#define CHECK(what)                                                                            \
    do {                                                                                       \
        if (!(what)) {                                                                         \
            fprintf(stderr, "%s:%d: %s\n  last error: %s\n", __FILE__, __LINE__, #what,        \
                    quorate_error_message(quorate_last_error()));                              \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

#define CHECK_STATUS(call, expected)                                                           \
    do {                                                                                       \
        int32_t status_ = (call);                                                              \
        if (status_ != (expected)) {                                                           \
            fprintf(stderr, "%s:%d: %s\n  is %s and not %s: %s\n", __FILE__, __LINE__, #call,  \
                    quorate_status_name(status_), quorate_status_name(expected),               \
                    quorate_error_message(quorate_last_error()));                              \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

#define OK(call) CHECK_STATUS(call, QUORATE_OK)

#define BYTES(text) (const uint8_t *)(text), strlen(text)

/* A client of the server under test: the one of the command line, or one in this process. */
quorate_client_t connect_with(quorate_client_options *options);
quorate_client_t connect_plainly(void);
/* Deletes everything below a path of the test's own, and makes it again. */
void empty(quorate_client_t client, const char *path);
/* Waits for a condition, and fails when it takes too long. */
#define AWAIT(condition)                                                                       \
    do {                                                                                       \
        int waited_ = 0;                                                                       \
        while (!(condition)) {                                                                 \
            pause_ms(5);                                                                       \
            waited_ += 5;                                                                      \
            CHECK(waited_ < LIMIT && #condition);                                              \
        }                                                                                      \
    } while (0)
void pause_ms(int ms);

void test_nodes(void);
void test_options(void);
void test_access(void);
void test_deadlines(void);
void test_servers(void);
void test_misuse(void);
void test_panic(void);
void test_fork(void);
void test_callbacks(void);
void test_polling(void);
void test_room(void);
void test_closing(void);
void test_watches(void);
void test_lock(void);
void test_election(void);

#endif
