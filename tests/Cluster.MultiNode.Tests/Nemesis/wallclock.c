/* Loaded before the C library (LD_PRELOAD): the wall clock of one process is the kernel's and as many seconds as the mapped file WALL_CLOCK holds, 8 bytes.
   Clocks that only count, and all waits, are left as they are. Without headers, so that the smallest of compilers does. */
struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };

extern void *dlsym(void *library, const char *name);
extern char *getenv(const char *name);
extern int open(const char *path, int flags, ...);
extern void *mmap(void *at, unsigned long bytes, int access, int flags, int file, long offset);

enum { realtime = 0, realtime_coarse = 5, read_only = 0, may_read = 1, shared = 1 };
#define NEXT ((void *)-1L)
#define FAILED ((void *)-1L)

static long ahead(void)
{
    static const long none = 0;
    static const volatile long *file;
    if (!file) {
        const char *path = getenv("WALL_CLOCK");
        int opened = path ? open(path, read_only) : -1;
        void *page = opened < 0 ? FAILED : mmap(0, sizeof(long), may_read, shared, opened, 0);
        file = page == FAILED ? &none : page;
    }
    return *file;
}

int clock_gettime(int clock, struct timespec *time)
{
    static int (*next)(int, struct timespec *);
    int code;
    if (!next) next = (int (*)(int, struct timespec *))dlsym(NEXT, "clock_gettime");
    code = next(clock, time);
    if (code == 0 && (clock == realtime || clock == realtime_coarse)) time->seconds += ahead();
    return code;
}

int gettimeofday(struct timeval *time, void *zone)
{
    struct timespec now;
    int code = clock_gettime(realtime, &now);
    if (code == 0) {
        time->seconds = now.seconds;
        time->microseconds = now.nanoseconds / 1000;
    }
    return code;
}

long time(long *into)
{
    struct timespec now;
    if (clock_gettime(realtime, &now) != 0) return -1;
    if (into) *into = now.seconds;
    return now.seconds;
}
