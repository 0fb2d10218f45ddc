#pragma once

#include <sys/types.h>

/// A started process and our ends of its stdio, all close-on-exec.
struct argus_process {
    pid_t pid;
    int input;
    int output;
    int error;
};

/// Starts `path` in a process group of its own; the caller's *thread* takes it along when it ends (Linux: PDEATHSIG).
/// So call it on a thread that lives as long as the process should. All signals are reset, no other file is passed on.
/// Returns 0, or the errno of what failed (in the child too: a missing folder or program).
int argus_spawn(
    const char *path, char *const argv[], char *const envp[], const char *folder, struct argus_process *process);

/// Waits for the end of a child without reaping it, so that its process group can't be taken by another meanwhile.
/// Returns the wait status as of waitpid, or -1.
int argus_wait(pid_t pid);

/// Reaps it.
void argus_reap(pid_t pid);

/// The pid of a child that has ended and isn't reaped, or 0.
pid_t argus_any_ended(void);

/// Whether `part` stands in `bytes` (memmem, which Swift doesn't see).
int argus_contains(const void *bytes, size_t count, const void *part, size_t part_count);

/// Gives back the program's code and constants that only its start has read. Everything is linked into the binary, and
/// starting it maps 10 MiB that a role never looks at again: relocations, and the conformances that the first casts
/// search. They are clean pages of a file: what is needed after all comes back from the page cache, 64 KiB at a fault.
void argus_release_startup_pages(void);
