// files.cc: the file table and every file call that moves no payload.
#include "files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "syscalls.h"

namespace vast_ost {

namespace {

// 16,384 files: handles × (data, sums, directory) with room; the rest of the 31 bits tells generations apart.
Table<File, 14> files;
Table<List, 10> lists;

/**
 * The directory a path is relative to, held open during the call. With `noDir` only absolute paths are taken, and with
 * a directory only relative ones: an unchecked −EPERM is −1 too, and must not turn into the working directory.
 */
class Dir {
 public:
  Dir(int32_t id, const char* path) : file_(id == noDir ? Ref<File>() : getFile(id)) {
    if (id != noDir && !file_) error_ = -EBADF;
    else if ((path[0] == '/') != (id == noDir)) error_ = -EINVAL;
  }
  int error() const { return error_; }
  int fd() const { return file_ ? file_->fd : AT_FDCWD; }

 private:
  Ref<File> file_;
  int error_ = 0;
};

int64_t addFile(int fd, bool direct) {
  auto* file = new File(fd, direct);
  const int32_t id = files.put(file);
  if (id < 0) (void)release(file);
  return id;
}

int64_t fillStat(int fd, const char* path, int flags, double* out) {
  struct statx st;
  static_assert(sizeof st == 256, "the kernel's struct");
  // Older headers lack the field: its place in the kernel's struct is fixed.
  constexpr unsigned wantDioAlign = 0x2000;
  constexpr size_t dioAlignAt = 152;
  constexpr uint64_t mountRootAttribute = 0x2000;
  memset(&st, 0, sizeof st);
  const int64_t result = restarted([&] { return statx(fd, path, flags, STATX_BASIC_STATS | wantDioAlign, &st); });
  if (result < 0) return result;
  uint32_t dio[2] = {0, 0};
  if ((st.stx_mask & wantDioAlign) != 0) memcpy(dio, reinterpret_cast<char*>(&st) + dioAlignAt, sizeof dio);
  const auto seconds = [](const struct statx_timestamp& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  };
  out[0] = static_cast<double>(st.stx_size);
  out[1] = static_cast<double>(st.stx_blocks) * 512;
  out[2] = static_cast<double>(st.stx_ino);
  out[3] = st.stx_dev_major;
  out[4] = st.stx_dev_minor;
  out[5] = st.stx_mode;
  out[6] = st.stx_nlink;
  out[7] = seconds(st.stx_mtime);
  out[8] = seconds(st.stx_ctime);
  out[9] = (st.stx_attributes_mask & mountRootAttribute) == 0 ? -1 : (st.stx_attributes & mountRootAttribute) != 0;
  out[10] = dio[0];
  out[11] = dio[1];
  return 0;
}

/** 0; −EISDIR, −ENXIO: something else stands there; or another −errno. */
int64_t demandFile(int fd) {
  struct statx st;
  const int64_t result = restarted([&] { return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st); });
  if (result < 0) return result;
  if (S_ISREG(st.stx_mode)) return 0;
  return S_ISDIR(st.stx_mode) ? -EISDIR : -ENXIO;
}

/** What O_NONBLOCK means to the reads and writes of a file is left to its file system (open(2)): none is to take it at its word. */
int64_t letWait(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

/**
 * Whoever may write to the directory may put anything in a file's place. A FIFO would hold the lane up until somebody opens its
 * other end, a device for as long as it likes: neither is waited for, and neither is read or written.
 */
int64_t openRegular(int dir, const char* path, int flags, mode_t mode) {
  int64_t fd = restarted([&] { return openat(dir, path, flags | O_NONBLOCK, mode); });
  // Somebody has leased it, which only files can be: it is waited for.
  const bool leased = fd == -EAGAIN;
  if (leased) fd = restarted([&] { return openat(dir, path, flags, mode); });
  if (fd < 0) return fd;
  const int file = static_cast<int>(fd);
  int64_t result = demandFile(file);
  if (result == 0 && !leased) result = letWait(file);
  if (result == 0) return fd;
  close(file);
  return result;
}

}  // namespace

int File::destroy(File* file) {
  // Linux frees the descriptor even when close says EINTR; any other error may be a late write error of NFS.
  const int result = close(file->fd) == 0 || errno == EINTR ? 0 : -errno;
  delete file;
  return result;
}

int List::destroy(List* list) {
  const int result = close(list->fd) == 0 || errno == EINTR ? 0 : -errno;
  delete list;
  return result;
}

Ref<File> getFile(int32_t id) { return files.get(id); }

int64_t openFile(int32_t dir, const char* path, int flags, mode_t mode) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  const int all = flags | O_CLOEXEC | O_NOCTTY;
  // What is made by this very call is a file, and a directory is the kernel's to demand.
  constexpr int make = O_CREAT | O_EXCL;
  const bool sure = (flags & O_DIRECTORY) != 0 || (flags & make) == make;
  const int64_t fd = sure ? restarted([&] { return openat(at.fd(), path, all, mode); })
                          : openRegular(at.fd(), path, all, mode);
  return fd < 0 ? fd : addFile(static_cast<int>(fd), (flags & O_DIRECT) != 0);
}

int64_t closeFile(int32_t file) { return files.close(file); }

int64_t makeDir(int32_t dir, const char* path, mode_t mode) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  return restarted([&] { return mkdirat(at.fd(), path, mode); });
}

int64_t renameFile(int32_t fromDir, const char* from, int32_t toDir, const char* to, unsigned flags) {
  const Dir source(fromDir, from);
  const Dir target(toDir, to);
  if (source.error() < 0) return source.error();
  if (target.error() < 0) return target.error();
  return restarted([&] {
    return flags == 0 ? renameat(source.fd(), from, target.fd(), to)
                      : renameat2(source.fd(), from, target.fd(), to, flags);
  });
}

int64_t linkFile(int32_t fromDir, const char* from, int32_t toDir, const char* to) {
  const Dir source(fromDir, from);
  const Dir target(toDir, to);
  if (source.error() < 0) return source.error();
  if (target.error() < 0) return target.error();
  return restarted([&] { return linkat(source.fd(), from, target.fd(), to, 0); });
}

int64_t unlinkFile(int32_t dir, const char* path, int flags) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  return restarted([&] { return unlinkat(at.fd(), path, flags); });
}

// Not restarted: the kernel may take a write error off the file while it answers EINTR, and a second fsync would then
// succeed over lost data. An interrupted sync is a failed sync.
int64_t syncFile(int32_t file) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return fsync(f->fd) == 0 ? 0 : -errno;
}

int64_t syncData(int32_t file) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return fdatasync(f->fd) == 0 ? 0 : -errno;
}

// Without the flags that wait: those would take a write error off the file before the fsync that has to tell it.
int64_t startWriteback(int32_t file) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int64_t truncateFile(int32_t file, int64_t size) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return restarted([&] { return ftruncate(f->fd, size); });
}

int64_t changeMode(int32_t file, mode_t mode) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return restarted([&] { return fchmod(f->fd, mode); });
}

int64_t lockFile(int32_t file) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return restarted([&] { return flock(f->fd, LOCK_EX | LOCK_NB); });
}

int64_t writeBytes(int32_t file, const uint8_t* bytes, size_t length, int64_t position) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return writeAll(f->fd, f->direct, bytes, length, position);
}

int64_t readBytes(int32_t file, uint8_t* bytes, size_t length, int64_t position) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return readUpTo(f->fd, f->direct, bytes, length, length, position);
}

int64_t statFile(int32_t file, double* out) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  return fillStat(f->fd, "", AT_EMPTY_PATH, out);
}

int64_t statAt(int32_t dir, const char* path, double* out) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  return fillStat(at.fd(), path, 0, out);
}

int64_t statLink(int32_t dir, const char* path, double* out) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  return fillStat(at.fd(), path, AT_SYMLINK_NOFOLLOW, out);
}

int64_t statFileSystem(int32_t file, double* out) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  struct statfs st;
  const int64_t result = restarted([&] { return fstatfs(f->fd, &st); });
  if (result < 0) return result;
  const double unit = static_cast<double>(st.f_frsize != 0 ? st.f_frsize : st.f_bsize);
  out[0] = static_cast<double>(st.f_blocks) * unit;
  out[1] = static_cast<double>(st.f_bfree) * unit;
  out[2] = static_cast<double>(st.f_bavail) * unit;
  out[3] = static_cast<double>(static_cast<uint32_t>(st.f_type));
  out[4] = static_cast<double>(st.f_ffree);
  return 0;
}

int64_t openList(int32_t dir, const char* path) {
  const Dir at(dir, path);
  if (at.error() < 0) return at.error();
  const int64_t fd = restarted([&] { return openat(at.fd(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return fd;
  auto* list = new List(static_cast<int>(fd));
  const int32_t id = lists.put(list);
  if (id < 0) (void)release(list);
  return id;
}

ListTurn::ListTurn(int32_t list) : list_(lists.get(list)) {
  if (!list_) error_ = -EBADF;
  else if (list_->busy.exchange(true, std::memory_order_acquire)) error_ = -EBUSY;
}

ListTurn::~ListTurn() {
  if (error_ == 0) list_->busy.store(false, std::memory_order_release);
}

int64_t ListTurn::fill() {
  if (list_->at < list_->end) return 1;
  // syscall(): getdents64 itself came with glibc 2.30, and readdir hides how many system calls it makes.
  const int64_t result = restarted([&] { return syscall(SYS_getdents64, list_->fd, list_->buffer, List::bufferBytes); });
  if (result <= 0) return result;
  list_->at = 0;
  list_->end = static_cast<size_t>(result);
  return 1;
}

bool ListTurn::next(Name& name) {
  // The kernel's record: u64 inode, s64 offset, u16 length, u8 type, name.
  constexpr size_t lengthAt = 16;
  constexpr size_t typeAt = 18;
  constexpr size_t nameAt = 19;
  while (list_->at < list_->end) {
    const char* record = list_->buffer + list_->at;
    uint16_t bytes;
    memcpy(&bytes, record + lengthAt, sizeof bytes);
    list_->at += bytes;
    name = {record + nameAt, static_cast<uint8_t>(record[typeAt])};
    if (strcmp(name.text, ".") != 0 && strcmp(name.text, "..") != 0) return true;
  }
  return false;
}

int64_t nextNames(int32_t list, uint32_t max, void (*take)(void* context, const char* name), void* context) {
  ListTurn turn(list);
  if (turn.error() < 0) return turn.error();
  uint32_t count = 0;
  while (count < max) {
    const int64_t filled = turn.fill();
    if (filled < 0) return filled;
    if (filled == 0) break;
    for (ListTurn::Name name; count < max && turn.next(name); ++count) take(context, name.text);
  }
  return count;
}

int64_t closeList(int32_t list) { return lists.close(list); }

}  // namespace vast_ost
