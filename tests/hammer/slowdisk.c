/* A slow disk: each fsync and fdatasync of a process that loads this file first takes some milliseconds longer.
 *
 *     cc -shared -fPIC -O1 -o slowdisk.so slowdisk.c -ldl
 *     HAMMER_SYNC_MS=2:200 LD_PRELOAD=./slowdisk.so command...
 *
 * Delays are drawn between the two numbers so that each octave is as likely as any other: most flushes are a little
 * late, few are very late, as on a disk that others use. HAMMER_SEED and the number of the process begin the sequence.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef int (*flush_call)(int);

static _Atomic uint64_t drawn;

/* Return a number in [0, 1): the next of splitmix64, which any thread may ask for. */
static double draw(void) {
    uint64_t z = atomic_fetch_add(&drawn, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double least = 0, most = 0;

__attribute__((constructor)) static void begin(void) {
    const char *range = getenv("HAMMER_SYNC_MS"), *seed = getenv("HAMMER_SEED");
    if (range != NULL && sscanf(range, "%lf:%lf", &least, &most) != 2) least = most = 0;
    drawn = (seed != NULL ? strtoull(seed, NULL, 10) : 0) * 1000003u + (uint64_t)getpid();
}

static void wait_some(void) {
    if (most <= 0) return;
    double ms = least > 0 ? least * pow(most / least, draw()) : most * draw();
    struct timespec left = {(time_t)(ms / 1000), (long)(fmod(ms, 1000) * 1e6)};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
}

static int slow(const char *name, int fd) {
    flush_call real = (flush_call)dlsym(RTLD_NEXT, name);
    wait_some();
    return real(fd);
}

int fsync(int fd) { return slow("fsync", fd); }
int fdatasync(int fd) { return slow("fdatasync", fd); }
