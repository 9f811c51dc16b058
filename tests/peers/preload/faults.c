/* Loaded into a member by LD_PRELOAD: a disk whose syncs take time, and a wall clock that is
 * wrong.
 *
 * Both numbers are in the file that FAULTS names, where the test changes them: microseconds
 * of each sync, and seconds by which the wall clock is ahead. Other clocks are right. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct faults {
    int64_t sync_us;
    int64_t ahead_s;
};

static const struct faults none;
static const volatile struct faults *now = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *map = mmap(NULL, sizeof(struct faults), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED)
        now = map;
}

static int synced(int done) {
    int64_t pause = now->sync_us;
    struct timespec rest = {pause / 1000000, pause % 1000000 * 1000};
    if (pause > 0)
        nanosleep(&rest, NULL);
    return done;
}

int fsync(int file) { return synced((int)syscall(SYS_fsync, file)); }

int fdatasync(int file) { return synced((int)syscall(SYS_fdatasync, file)); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = (int)syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += now->ahead_s;
    return done;
}
