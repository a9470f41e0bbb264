/*
 * files.h: the process's files by id, and the small file calls. Free of Node-API.
 *
 * Every function returns ≥ 0 or −errno. Each system call on storage is exactly one call of a plain libc function through
 * the PLT (openat, pwrite, fsync …), so that a preloaded shim can count it, fail it, or kill before and after it.
 */
#ifndef VAST_OST_FILES_H
#define VAST_OST_FILES_H

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "table.h"

namespace vast_ost {

struct File : Counted<File> {
  const int fd;
  /** Opened with O_DIRECT: transfers begin at sectors. */
  const bool direct;
  File(int descriptor, bool isDirect) : fd(descriptor), direct(isDirect) {}
  static int destroy(File* file);
};

/** `dir` argument: the path is absolute. */
constexpr int32_t noDir = -1;

Ref<File> getFile(int32_t id);

/** Without O_DIRECTORY only a file: −EISDIR, −ENXIO where something else stands in its place. */
int64_t openFile(int32_t dir, const char* path, int flags, mode_t mode);
int64_t closeFile(int32_t file);
int64_t makeDir(int32_t dir, const char* path, mode_t mode);
int64_t renameFile(int32_t fromDir, const char* from, int32_t toDir, const char* to, unsigned flags);
int64_t linkFile(int32_t fromDir, const char* from, int32_t toDir, const char* to);
int64_t unlinkFile(int32_t dir, const char* path, int flags);
int64_t syncFile(int32_t file);
int64_t syncData(int32_t file);
int64_t startWriteback(int32_t file);
int64_t truncateFile(int32_t file, int64_t size);
int64_t changeMode(int32_t file, mode_t mode);
int64_t lockFile(int32_t file);
int64_t writeBytes(int32_t file, const uint8_t* bytes, size_t length, int64_t position);
int64_t readBytes(int32_t file, uint8_t* bytes, size_t length, int64_t position);

/** Fields as `statField` in index.ts has them. */
constexpr size_t statFields = 12;
int64_t statFile(int32_t file, double* out);
/** Follows symbolic links. */
int64_t statAt(int32_t dir, const char* path, double* out);
/** Of the link itself. */
int64_t statLink(int32_t dir, const char* path, double* out);
/** Fields as `fsField` in index.ts has them. */
constexpr size_t fsFields = 5;
int64_t statFileSystem(int32_t file, double* out);

/** One directory being listed: a descriptor and one buffer of entries. One caller at a time; a second one: −EBUSY. */
struct List : Counted<List> {
  static constexpr size_t bufferBytes = 32 * 1024;
  const int fd;
  std::atomic<bool> busy{false};
  /** What small_files.cc found when it last read below it: most files took long to open and read. */
  bool slow = false;
  size_t at = 0;
  size_t end = 0;
  alignas(8) char buffer[bufferBytes];
  explicit List(int descriptor) : fd(descriptor) {}
  static int destroy(List* list);
};

int64_t openList(int32_t dir, const char* path);
/** Calls `take` with up to `max` names, "." and ".." left out. Returns how many: 0 at the end. */
int64_t nextNames(int32_t list, uint32_t max, void (*take)(void* context, const char* name), void* context);
int64_t closeList(int32_t list);

/** The one caller of a list, for the length of a call. */
class ListTurn {
 public:
  struct Name {
    /** In the list's buffer. */
    const char* text;
    /** DT_… of the entry. */
    uint8_t type;
  };

  explicit ListTurn(int32_t list);
  ~ListTurn();
  ListTurn(const ListTurn&) = delete;
  ListTurn& operator=(const ListTurn&) = delete;

  /** −EBADF, −EBUSY; 0: it is the caller's turn. */
  int error() const { return error_; }
  List* operator->() const { return list_.operator->(); }
  /** Reads more names where none is left in the buffer. 1; 0: the end; −errno. */
  int64_t fill();
  /** The next name of the buffer, "." and ".." left out; false: none is left there. */
  bool next(Name& name);

 private:
  Ref<List> list_;
  int error_ = 0;
};

}  // namespace vast_ost

#endif
