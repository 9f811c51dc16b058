// libzookeeper's multi-threaded API, used on a real server.
//
//   api HOST:PORT GROUP    runs one group; exit code 0 and no output if all is well
//   api --list             prints the groups
//
// Each group works below a node of its own and needs a server on which it has not run.

#include "harness.h"

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"nodes", test_nodes},
    {"errors", test_errors},
    {"ttl_and_containers", test_ttl_and_containers},
    {"async", test_async},
    {"async_order", test_async_order},
    {"watches", test_watches},
    {"async_watches", test_async_watches},
    {"remove_watches", test_remove_watches},
    {"multi", test_multi},
    {"failed_multi", test_failed_multi},
    {"access", test_access},
    {"failed_auth", test_failed_auth},
    {"session", test_session},
    {"session_resume", test_session_resume},
    {"session_expiry", test_session_expiry},
    {"session_lost", test_session_lost},
    {"chroot", test_chroot},
    {"config", test_config},
    {"handle", test_handle},
};

int main(int argc, char **argv) {
    size_t count = sizeof groups / sizeof groups[0];
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(groups[i].name);
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST:PORT GROUP | --list\n", argv[0]);
        return 2;
    }
    address = argv[1];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(groups[i].name, argv[2]) == 0) {
            groups[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no group '%s'\n", argv[2]);
    return 2;
}
