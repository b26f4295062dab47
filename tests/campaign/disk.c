/* A disk that fills up or turns read-only under a running program, without needing to be root: laid over
 * the program with LD_PRELOAD, it refuses what a file system refuses then, from the moment on in which the
 * file that DISK_TROUBLE names is there. Its content is the number of the error. Only files are meant:
 * terminals, pipes and sockets go on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int trouble(void) {
    char number[8] = {0};
    const char *flag = getenv("DISK_TROUBLE");
    if (!flag) return 0;
    int saved = errno;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, flag, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        if (syscall(SYS_read, fd, number, sizeof number - 1) < 0) number[0] = 0;
        syscall(SYS_close, fd);
    }
    errno = saved;
    return atoi(number);
}

static int trouble_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode) ? trouble() : 0;
}

static long refused(int error) {
    errno = error;
    return -1;
}

/* A disk takes what still fits: the first write that it refuses has half of it written. */
static size_t fitting(int error, size_t length) {
    static int met;
    if (error != ENOSPC || length < 2 || __sync_lock_test_and_set(&met, 1)) return 0;
    return length / 2;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int error = trouble_of(fd);
    if (error && !(length = fitting(error, length))) return refused(error);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int error = trouble_of(fd);
    return error ? refused(error) : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    int error = trouble_of(fd);
    if (error && !(length = fitting(error, length))) return refused(error);
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return pwrite64(fd, bytes, length, at);
}

int ftruncate64(int fd, off_t length) {
    int error = trouble_of(fd);
    return error == EROFS ? (int)refused(error) : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

/* What a full disk still allows, a read-only file system does not. */
static int read_only(void) {
    return trouble() == EROFS;
}

static int opened(int folder, const char *path, int flags, unsigned mode) {
    struct stat found;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (writes && read_only()) {
        int there = fstatat(folder, path, &found, 0) == 0;
        if (!there || S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) return (int)refused(EROFS);
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE(last)                                              \
    unsigned mode = 0;                                          \
    if (flags & (O_CREAT | __O_TMPFILE)) {                      \
        va_list more;                                           \
        va_start(more, last);                                   \
        mode = va_arg(more, unsigned);                          \
        va_end(more);                                           \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return opened(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return opened(folder, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    return read_only() ? (int)refused(EROFS) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int unlink(const char *path) {
    return read_only() ? (int)refused(EROFS) : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to) {
    return read_only() ? (int)refused(EROFS)
                       : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
