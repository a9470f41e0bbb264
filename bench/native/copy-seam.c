/*
 * copy-seam: linked between the plug-in's own objects for the budget alone (--wrap). Its copy past the caches is no call of
 * libc, which call-counter could stand in for: this one tells that library of each, and how long it lasts, because the copy
 * is made of memcpy where the processor has no such stores. Without call-counter in the process it does nothing.
 */
#include <stddef.h>

#include "../../native/plugin/copy.h"

extern void vast_count_copy_begins(size_t length) __attribute__((weak));
extern void vast_count_copy_ends(void) __attribute__((weak));

void __real_stsp__copy_through(void *to, const void *from, size_t length);
void __wrap_stsp__copy_through(void *to, const void *from, size_t length);

void __wrap_stsp__copy_through(void *to, const void *from, size_t length) {
  if (vast_count_copy_begins) vast_count_copy_begins(length);
  __real_stsp__copy_through(to, from, length);
  if (vast_count_copy_ends) vast_count_copy_ends();
}
