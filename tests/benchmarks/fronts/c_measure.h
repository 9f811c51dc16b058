/* How the C programs measure. */
#ifndef C_MEASURE_H
#define C_MEASURE_H

#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODE "/bench-fronts"
enum { WINDOW = 1000 };

static uint8_t data[100];
static sem_t room;

static inline void begin(void) {
    memset(data, 'x', sizeof data);
    sem_init(&room, 0, WINDOW);
}

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* So many requests have ended. */
static inline void ended(size_t count) {
    while (count-- > 0)
        sem_post(&room);
}

/* Requests per second, one at a time, over two seconds. */
static inline double alone(void (*request)(void)) {
    for (int i = 0; i < 1000; i++)
        request();
    double start = now(), end = start;
    long done = 0;
    for (; end - start < 2; end = now())
        for (int i = 0; i < 100; i++, done++)
            request();
    return (double)done / (end - start);
}

/* Requests per second, with always so many under way, over two seconds. */
static inline double in_flight(void (*request)(void)) {
    double start = 0, end = 0;
    long done = 0;
    for (long i = 0; end - start < 2 || i < 2 * WINDOW; i++) {
        sem_wait(&room);
        request();
        if (i == 2 * WINDOW)
            start = now();
        if (i > 2 * WINDOW)
            done++;
        if (i % 100 == 0)
            end = i > 2 * WINDOW ? now() : 0;
    }
    for (int i = 0; i < WINDOW; i++)
        sem_wait(&room);
    ended(WINDOW);
    return (double)done / (end - start);
}

static inline void tell(const char *measure, double value) {
    printf("{\"measure\": \"%s\", \"value\": %f}\n", measure, value);
    fflush(stdout);
}

#endif
