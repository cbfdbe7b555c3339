/* A layer of faults between the gateway and the system, for the tests alone: LD_PRELOAD puts it
 * beneath the real binary, whose own code forbids what is done here.
 *
 * Below KANGQIAO_FAULTS_ROOT it writes down every change of a file and every wish that one be
 * durable, in the order in which they happened, into KANGQIAO_FAULTS/log; and it does what
 * KANGQIAO_FAULTS/control says, a page of numbers that the test maps too. `tests/all/faults`
 * holds the other end of both. The -shm of SQLite is memory and is left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of what is written down; the head of each is 32 bytes. */
enum { OPENED = 1, WROTE, CUT, BEGUN, DURABLE, FAILED, RENAMED, UNLINKED, FOLDER };
struct head { uint64_t kind, node, at, length; };

/* The page of numbers; the test writes it, and reads what is counted. */
struct control {
    int64_t recording;   /* whether changes are written down */
    int64_t swift;       /* a sync that succeeds does not trouble the disk */
    int64_t sync_errno;  /* what a sync fails with; 0: it does not */
    int64_t sync_passes; /* how many go through before that */
    int64_t sync_ms;     /* how long each takes besides */
    int64_t write_errno; /* what a write fails with; half of the first one goes through */
    int64_t write_passes;
    int64_t clock_ms;    /* how much later it is than it is */
    int64_t syncs;       /* counted: syncs of the store's files */
    int64_t writes;
    int64_t tripped;     /* faults that struck */
    int64_t only;        /* 1: the log of the store alone, 2: its database alone */
};

static volatile struct control nothing, *control = &nothing;
static char root[PATH_MAX];
static size_t root_length;
static int record = -1;
static uint64_t tokens;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define FILES 4096
/* Of each open file below the root: its number and what it is. */
static struct { uint64_t node; int store; } files[FILES];

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *home = getenv("KANGQIAO_FAULTS"), *below = getenv("KANGQIAO_FAULTS_ROOT");
    char path[PATH_MAX];
    if (!home || !below || !realpath(below, root)) return;
    root_length = strlen(root);
    snprintf(path, sizeof path, "%s/control", home);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (page == MAP_FAILED) return;
    snprintf(path, sizeof path, "%s/log", home);
    record = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    control = page;
}

/* The whole path of a name, if it lies below the root and is none of memory's. */
static int below(const char *name, char *path) {
    if (!root_length || !name) return 0;
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(path, name);
    } else {
        if (!getcwd(path, PATH_MAX)) return 0;
        size_t used = strlen(path);
        if (used + strlen(name) + 2 > PATH_MAX) return 0;
        path[used] = '/';
        strcpy(path + used + 1, name);
    }
    size_t length = strlen(path);
    int memory = length > 4 && !strcmp(path + length - 4, "-shm");
    return !memory && !strncmp(path, root, root_length)
        && (path[root_length] == '/' || !path[root_length]);
}

/* Writes down one thing; the turn is held. A record that cannot be kept is none. */
static void note(uint64_t kind, uint64_t node, uint64_t at, const void *bytes, size_t length) {
    if (!control->recording) return;
    struct head head = { kind, node, at, length };
    struct iovec parts[2] = { { &head, sizeof head }, { (void *)bytes, length } };
    long wrote = syscall(SYS_writev, record, parts, 2);
    if (wrote != (long)(sizeof head + length)) abort();
}

/* 1 for the store's log, 2 for its database, 3 for anything else. */
static int store_file(const char *path) {
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, "-wal")) return 1;
    if (length > 3 && !strcmp(path + length - 3, ".db")) return 2;
    return 3;
}

/* Whether a fault that is armed strikes a file now; counts down what still passes. */
static int strikes(int64_t error, volatile int64_t *passes, int store) {
    if (!error || (control->only && control->only != store)) return 0;
    if (*passes > 0) { (*passes)--; return 0; }
    control->tripped++;
    return 1;
}

static int is_ours(int fd) { return fd >= 0 && fd < FILES && files[fd].store; }

static int opened(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int ours = at == AT_FDCWD && below(name, path);
    if (!ours) return (int)syscall(SYS_openat, at, name, flags, mode);
    pthread_mutex_lock(&turn);
    int store = store_file(path);
    int changes = flags & (O_CREAT | O_TRUNC);
    int made = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    int fd = -1;
    if (changes && (made || (flags & O_TRUNC))
        && strikes(control->write_errno, &control->write_passes, store)) {
        errno = (int)control->write_errno;
    } else {
        fd = (int)syscall(SYS_openat, at, name, flags, mode);
    }
    struct stat found;
    if (fd >= 0 && fd < FILES && !fstat(fd, &found)) {
        files[fd].node = found.st_ino;
        files[fd].store = store;
        note(OPENED, found.st_ino, (uint64_t)made, path, strlen(path));
        if (!made && (flags & O_TRUNC)) note(CUT, found.st_ino, 0, NULL, 0);
    }
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags) return opened(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags) return opened(at, name, flags | O_LARGEFILE, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

int close(int fd) {
    if (is_ours(fd)) files[fd].store = 0;
    return (int)syscall(SYS_close, fd);
}

/* A write at a place, or where the file stands (`at` < 0). */
static ssize_t wrote(int fd, const void *bytes, size_t length, off64_t at) {
    pthread_mutex_lock(&turn);
    control->writes++;
    ssize_t done;
    if (strikes(control->write_errno, &control->write_passes, files[fd].store)) {
        /* The first that is struck gets half through, as on a disk that fills up. */
        if (control->tripped == 1 && length > 1 && control->write_errno == ENOSPC) {
            length /= 2;
        } else {
            pthread_mutex_unlock(&turn);
            errno = (int)control->write_errno;
            return -1;
        }
    }
    off64_t place = at;
    if (at < 0) {
        struct stat found;
        int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
        place = (flags & O_APPEND) && !fstat(fd, &found) ? found.st_size
                                                        : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    }
    /* Written down before it is done: a kill in between leaves one that was perhaps done. */
    note(WROTE, files[fd].node, (uint64_t)place, bytes, length);
    done = at < 0 ? syscall(SYS_write, fd, bytes, length)
                  : syscall(SYS_pwrite64, fd, bytes, length, at);
    if (done >= 0 && (size_t)done != length) abort();
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return is_ours(fd) ? wrote(fd, bytes, length, -1) : syscall(SYS_write, fd, bytes, length);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return is_ours(fd) ? wrote(fd, bytes, length, at) : syscall(SYS_pwrite64, fd, bytes, length, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return pwrite(fd, bytes, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!is_ours(fd)) return syscall(SYS_writev, fd, parts, count);
    /* Fewer bytes than were asked for is an answer its callers have to understand. */
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len) return wrote(fd, parts[i].iov_base, parts[i].iov_len, -1);
    return 0;
}

static int cut(int fd, off64_t length) {
    pthread_mutex_lock(&turn);
    int done = -1;
    if (strikes(control->write_errno, &control->write_passes, files[fd].store)) {
        errno = (int)control->write_errno;
    } else {
        note(CUT, files[fd].node, (uint64_t)length, NULL, 0);
        done = (int)syscall(SYS_ftruncate, fd, length);
    }
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return done;
}
int ftruncate(int fd, off_t length) { return is_ours(fd) ? cut(fd, length) : (int)syscall(SYS_ftruncate, fd, length); }
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int synced(int fd) {
    pthread_mutex_lock(&turn);
    uint64_t node = files[fd].node, token = ((uint64_t)getpid() << 32) + ++tokens;
    int store = files[fd].store;
    control->syncs++;
    note(BEGUN, node, token, NULL, 0);
    if (strikes(control->sync_errno, &control->sync_passes, store)) {
        note(FAILED, node, token, NULL, 0);
        pthread_mutex_unlock(&turn);
        errno = (int)control->sync_errno;
        return -1;
    }
    pthread_mutex_unlock(&turn);
    if (control->sync_ms > 0) {
        struct timespec wait = { control->sync_ms / 1000, control->sync_ms % 1000 * 1000000 };
        syscall(SYS_nanosleep, &wait, NULL);
    }
    int done = control->swift ? 0 : (int)syscall(SYS_fsync, fd);
    pthread_mutex_lock(&turn);
    note(done ? FAILED : DURABLE, node, token, NULL, 0);
    pthread_mutex_unlock(&turn);
    return done;
}
int fsync(int fd) { return is_ours(fd) ? synced(fd) : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return is_ours(fd) ? synced(fd) : (int)syscall(SYS_fdatasync, fd); }

/* Whether a change of names fails; says so by errno. */
static int names_fail(void) {
    if (!strikes(control->write_errno, &control->write_passes, 3)) return 0;
    errno = (int)control->write_errno;
    return 1;
}

int rename(const char *from, const char *to) {
    char both[2 * PATH_MAX], onto[PATH_MAX];
    if (!below(from, both) || !below(to, onto))
        return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    pthread_mutex_lock(&turn);
    int done = names_fail() ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (!done) {
        size_t first = strlen(both) + 1;
        strcpy(both + first, onto);
        note(RENAMED, 0, 0, both, first + strlen(onto));
    }
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return done;
}

int unlink(const char *name) {
    char path[PATH_MAX];
    if (!below(name, path)) return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    pthread_mutex_lock(&turn);
    int done = names_fail() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    if (!done) note(UNLINKED, 0, 0, path, strlen(path));
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return done;
}

int mkdir(const char *name, mode_t mode) {
    char path[PATH_MAX];
    if (!below(name, path)) return (int)syscall(SYS_mkdirat, AT_FDCWD, name, mode);
    pthread_mutex_lock(&turn);
    int done = names_fail() ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, name, mode);
    if (!done) note(FOLDER, 0, 0, path, strlen(path));
    int kept = errno;
    pthread_mutex_unlock(&turn);
    errno = kept;
    return done;
}

/* What the record could not tell is refused as some systems do, and its callers write instead. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    if (is_ours(out)) { errno = EXDEV; return -1; }
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, length, flags);
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    if (is_ours(fd)) { errno = EOPNOTSUPP; return -1; }
    return (int)syscall(SYS_fallocate, fd, mode, at, length);
}
int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }

/* The clock of the wall; that which only goes forward is left alone. */
int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(clock_gettime);
    int done = real(which, now);
    int64_t later = control->clock_ms;
    if (!done && later && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t nanos = now->tv_nsec + later % 1000 * 1000000;
        now->tv_sec += later / 1000;
        if (nanos < 0) { nanos += 1000000000; now->tv_sec--; }
        if (nanos >= 1000000000) { nanos -= 1000000000; now->tv_sec++; }
        now->tv_nsec = nanos;
    }
    return done;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec fine;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &fine)) return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *into) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
