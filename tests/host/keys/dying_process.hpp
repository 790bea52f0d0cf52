#pragma once
// A step that dies before its n-th file operation. The operations are this program's own: they
// replace the C library's, count, and end the process when its time has come. For one file of a
// test program.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

int operations_left = -1;  // below zero: nobody counts
constexpr int killed_status = 137;

void count_operation() {
    if (operations_left > 0 && --operations_left == 0) _exit(killed_status);
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
    count_operation();
    return syscall(SYS_write, descriptor, data, size);
}
int fsync(int) {  // what dies here is a process: the kernel keeps what it was given
    count_operation();
    return 0;
}
int rename(const char* from, const char* to) noexcept {
    count_operation();
    return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int link(const char* from, const char* to) noexcept {
    count_operation();
    return static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int unlink(const char* path) noexcept {
    count_operation();
    return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
int mkdir(const char* path, mode_t mode) noexcept {
    count_operation();
    return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

}  // extern "C"

namespace {

/// Runs `step` in a process that dies before its `count`-th operation; false when it had fewer.
template <class Step>
bool dies_before(int count, Step step) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        operations_left = count;
        const bool done = step();
        _exit(done ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE((WEXITSTATUS(status) == killed_status || WEXITSTATUS(status) == 0));
    return WEXITSTATUS(status) == killed_status;
}

}  // namespace
