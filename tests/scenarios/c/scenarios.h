/* The runner of the scenarios in C: see ../README.md. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <json-c/json.h>
#include <quorate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No verb takes longer, ms. */
#define LIMIT 30000

#define FAIL(...)                                                                              \
    do {                                                                                       \
        fprintf(stderr, __VA_ARGS__);                                                          \
        fputc('\n', stderr);                                                                   \
        exit(1);                                                                               \
    } while (0)

#define NEED(call)                                                                             \
    do {                                                                                       \
        if ((call) != QUORATE_OK)                                                              \
            FAIL("%s: %s", #call, quorate_error_message(quorate_last_error()));                \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif

/* How clients of one scenario connect. */
extern quorate_client_options connection;

/* Does a step, whose saved values are filled in; answers its result. */
json_object *run_step(json_object *step);
/* Closes whatever a scenario has left. */
void end_scenario(void);

/* A step with the saved values in their places. */
json_object *filled_in(json_object *step);
/* Judges a result by the step's demands, and saves what it is to save. */
void judge(json_object *step, json_object *result);
void forget_saved(void);

#ifdef __cplusplus
}
#endif

/* A member of an object; NULL when it is absent. */
static inline json_object *member(json_object *object, const char *name) {
    json_object *found = NULL;
    return json_object_object_get_ex(object, name, &found) ? found : NULL;
}
static inline const char *text(json_object *object, const char *name) {
    json_object *found = member(object, name);
    return found ? json_object_get_string(found) : NULL;
}
static inline void put(json_object *object, const char *name, json_object *value) {
    json_object_object_add(object, name, value);
}

#endif
