#define _GNU_SOURCE
#include "CProcess.h"

#ifdef __linux__
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

static int release_segments(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    // The program itself has no name; the libraries are shared with all that runs on the machine.
    if (object->dlpi_name != NULL && object->dlpi_name[0] != 0) return 0;
    unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // What can be written has been: dropping it would lose it.
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
        unsigned long start = object->dlpi_addr + segment->p_vaddr, first = start & ~(page - 1);
        madvise((void *)first, start - first + segment->p_memsz, MADV_DONTNEED);
    }
    return 0;
}

void argus_release_startup_pages(void) { dl_iterate_phdr(release_segments, NULL); }
#else
void argus_release_startup_pages(void) {}
#endif
