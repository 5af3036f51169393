/* Pages of memory. Floor 0. */
#ifndef CNN_CORE_MEMORY_H
#define CNN_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Asks for pages of 2 MiB where they fit: the columns of a large matrix touch a page each, and small pages would not
   fit into the table of translations. Only a wish; worth it from 4 MiB. */
static inline void use_large_pages(void *memory, size_t n_bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)2 << 20;
    const uintptr_t first = ((uintptr_t)memory + page - 1) & ~(page - 1),
                    last = ((uintptr_t)memory + n_bytes) & ~(page - 1);
    if (n_bytes >= 2 * page && last > first) madvise((void *)first, last - first, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)n_bytes;
#endif
}

#endif
