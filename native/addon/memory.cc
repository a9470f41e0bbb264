/*
 * memory.cc: operator new of this addon alone. The C++ library's own would bring exceptions and their unwinder along, and
 * with it symbols of the newest glibc; without memory there is nothing to do but end: the storage is built for that.
 */
#include <cstdlib>
#include <new>

void* operator new(size_t bytes) {
  void* memory = malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) abort();
  return memory;
}
void* operator new[](size_t bytes) { return operator new(bytes); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
