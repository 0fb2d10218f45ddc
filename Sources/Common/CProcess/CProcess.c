#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/// A pipe whose ends are close-on-exec and above stdio, so that dup2 in the child never meets its own target.
static int make_pipe(int ends[2]) {
#ifdef __linux__
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
#else
    if (pipe(ends) != 0) return errno;
#endif
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        if (ends[i] > 2) continue;
        int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        close(ends[i]);
        ends[i] = moved;
    }
    return 0;
}

static void close_pipe(int ends[2]) {
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
}

/// Everything else that is open is marked close-on-exec: files that others opened meanwhile, without the flag.
static void close_rest(void) {
#if defined(__linux__) && defined(SYS_close_range)
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0) return;
#endif
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536) limit = 65536;
    for (int file = 3; file < limit; file++) fcntl(file, F_SETFD, FD_CLOEXEC);
}

/// After fork: only what is safe in a child of a process with threads.
static void run_child(
    const char *path, char *const argv[], char *const envp[], const char *folder, pid_t parent, int input, int output,
    int error, int report) {
    setpgid(0, 0);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have ended before the line above.
    if (getppid() != parent) _exit(127);
#else
    (void)parent;
#endif
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close_rest();
    if (dup2(input, 0) >= 0 && dup2(output, 1) >= 0 && dup2(error, 2) >= 0 && chdir(folder) == 0) {
        execve(path, argv, envp);
    }
    int reason = errno;
    ssize_t written = write(report, &reason, sizeof reason);
    (void)written;
    _exit(127);
}

int argus_spawn(
    const char *path, char *const argv[], char *const envp[], const char *folder, struct argus_process *process) {
    int input[2] = {-1, -1}, output[2] = {-1, -1}, error[2] = {-1, -1}, report[2] = {-1, -1};
    int failure = make_pipe(input);
    if (failure == 0) failure = make_pipe(output);
    if (failure == 0) failure = make_pipe(error);
    if (failure == 0) failure = make_pipe(report);
    pid_t pid = -1;
    if (failure == 0) {
        // No handler of ours may run in the child.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t parent = getpid();
        pid = fork();
        if (pid == 0) run_child(path, argv, envp, folder, parent, input[0], output[1], error[1], report[1]);
        if (pid < 0) failure = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (failure == 0) {
        close(report[1]);
        report[1] = -1;
        ssize_t count;
        do count = read(report[0], &failure, sizeof failure);
        while (count < 0 && errno == EINTR);
        if (count != sizeof failure) failure = 0;
        if (failure != 0) argus_reap(pid);
    }
    close_pipe(report);
    if (failure != 0) {
        close_pipe(input);
        close_pipe(output);
        close_pipe(error);
        return failure;
    }
    close(input[0]);
    close(output[1]);
    close(error[1]);
    *process = (struct argus_process){pid, input[1], output[0], error[0]};
    return 0;
}

int argus_wait(pid_t pid) {
    siginfo_t info;
    int result;
    do result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (result != 0 && errno == EINTR);
    if (result != 0) return -1;
    return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

void argus_reap(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

pid_t argus_any_ended(void) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
    return info.si_pid;
}

int argus_contains(const void *bytes, size_t count, const void *part, size_t part_count) {
    return memmem(bytes, count, part, part_count) != NULL;
}
