/*
 * table.h: ids that can be told from their successors.
 *
 * An id is (generation << indexBits | index), positive, within 31 bits: it fits a word of a ring record, and 0 and
 * negative numbers are never ids. An object is counted: the table holds one reference, each running call another one;
 * the last one to leave destroys it. So an object may be closed while a lane is still in a system call with it.
 *
 * The mutex guards table entries only and is never held over a system call: objects are destroyed outside.
 */
#ifndef VAST_OST_TABLE_H
#define VAST_OST_TABLE_H

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <atomic>

#include "mutex.h"

namespace vast_ost {

/** Base of what a table holds. T::destroy(T*) frees it and returns 0 or −errno. */
template <class T>
struct Counted {
  std::atomic<uint32_t> references{1};
  /** Objects that exist, those already closed but still in use included. */
  static inline std::atomic<int64_t> live{0};

  Counted() { live.fetch_add(1, std::memory_order_relaxed); }
  ~Counted() { live.fetch_sub(1, std::memory_order_relaxed); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

/** Gives one reference back. The result of destroying it, where this was the last one; else 0. */
template <class T>
int release(T* object) {
  if (object->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return 0;
  return T::destroy(object);
}

/** One counted reference, held for the length of a call. */
template <class T>
class Ref {
 public:
  explicit Ref(T* object = nullptr) : object_(object) {}
  Ref(Ref&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Ref& operator=(Ref&&) = delete;
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    if (object_ != nullptr) (void)release(object_);
  }
  explicit operator bool() const { return object_ != nullptr; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

/** Made for globals: nothing runs at its construction, and it is never destroyed under a lane that still works. */
template <class T, unsigned indexBits>
class Table {
 public:
  static constexpr uint32_t capacity = 1u << indexBits;

  /** Takes over the caller's reference. Returns the id, or −EMFILE when full (the object is then still the caller's). */
  int32_t put(T* object) {
    const Guard guard(mutex_);
    // calloc: pages of entries that were never used stay untouched.
    if (entries_ == nullptr) entries_ = static_cast<Entry*>(calloc(capacity, sizeof(Entry)));
    if (entries_ == nullptr) return -ENOMEM;
    uint32_t index;
    if (used_ < capacity && freeCount_ < restMin) {
      index = used_++;
    } else if (freeCount_ > 0) {
      index = freeFirst_;
      freeFirst_ = entries_[index].next;
      --freeCount_;
    } else {
      return -EMFILE;
    }
    Entry& entry = entries_[index];
    entry.generation = entry.generation == generationMax ? 1 : entry.generation + 1;
    entry.object = object;
    return static_cast<int32_t>(entry.generation << indexBits | index);
  }

  /** A reference for the length of a call; empty when the id is closed or never was. */
  Ref<T> get(int32_t id) {
    const Guard guard(mutex_);
    Entry* entry = find(id);
    if (entry == nullptr) return Ref<T>();
    entry->object->references.fetch_add(1, std::memory_order_relaxed);
    return Ref<T>(entry->object);
  }

  /**
   * The same object under another id, when nobody uses it at this moment: whoever still has the old one finds nothing.
   * −EBUSY: somebody does. −EBADF for an id that is not open. When it cannot be put again it is released.
   */
  int32_t renew(int32_t id) {
    T* object;
    {
      const Guard guard(mutex_);
      Entry* entry = find(id);
      if (entry == nullptr) return -EBADF;
      // References are only taken under this lock: the table's own one stays the only one.
      if (entry->object->references.load(std::memory_order_acquire) != 1) return -EBUSY;
      object = take(entry);
    }
    const int32_t again = put(object);
    if (again < 0) (void)release(object);
    return again;
  }

  /** Forgets the id and gives the table's reference back. −EBADF for an id that is not open. */
  int close(int32_t id) {
    T* object;
    {
      const Guard guard(mutex_);
      Entry* entry = find(id);
      if (entry == nullptr) return -EBADF;
      object = take(entry);
    }
    return release(object);
  }

 private:
  struct Entry {
    T* object;
    uint32_t generation;
    uint32_t next;
  };
  static constexpr uint32_t generationMax = (1u << (31 - indexBits)) - 1;
  /** Freed entries are used again first-in first-out and rest at least this long: a stale id stays stale for millions. */
  static constexpr uint32_t restMin = 64;

  Entry* find(int32_t id) {
    if (id <= 0 || entries_ == nullptr) return nullptr;
    Entry* entry = &entries_[static_cast<uint32_t>(id) & (capacity - 1)];
    if (entry->object == nullptr || entry->generation != static_cast<uint32_t>(id) >> indexBits) return nullptr;
    return entry;
  }

  /** Frees the entry. Caller holds the lock. */
  T* take(Entry* entry) {
    T* object = entry->object;
    entry->object = nullptr;
    const uint32_t index = static_cast<uint32_t>(entry - entries_);
    if (freeCount_ == 0) freeFirst_ = index;
    else entries_[freeLast_].next = index;
    freeLast_ = index;
    ++freeCount_;
    return object;
  }

  Mutex mutex_;
  Entry* entries_ = nullptr;
  uint32_t used_ = 0;
  uint32_t freeFirst_ = 0;
  uint32_t freeLast_ = 0;
  uint32_t freeCount_ = 0;
};

}  // namespace vast_ost

#endif
