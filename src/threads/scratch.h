/* Memory of each thread's own, kept from call to call and given back when the thread ends. Floor 0. */
#ifndef CNN_CORE_SCRATCH_H
#define CNN_CORE_SCRATCH_H

#include <stddef.h>

/* At least n_bytes, on a 64-byte boundary, with any content; NULL when memory is short. A later call by the same
   thread gives the same memory, or more of it elsewhere. */
void *thread_scratch(size_t n_bytes);

#endif
