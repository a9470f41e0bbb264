// main.cc: harness DIR [SEED [ROUNDS]]: the addon's parts without Node, alone so that sanitizers see all of it.
#include <fcntl.h>

#include <cstring>

#include "../arena.h"
#include "../crc64.h"
#include "../files.h"
#include "../sha256.h"
#include "../watch.h"
#include "check.h"

using namespace vast_ost;

int main(int count, char** words) {
  if (count < 2 || words[1][0] != '/') {
    fprintf(stderr, "usage: harness DIR [SEED [ROUNDS]]; DIR is empty and absolute\n");
    return 2;
  }
  const int64_t dir = openFile(noDir, words[1], O_RDONLY | O_DIRECTORY, 0);
  if (dir < 0) {
    fprintf(stderr, "harness: %s: %s\n", words[1], strerror(static_cast<int>(-dir)));
    return 2;
  }
  const harness::Setting setting = {static_cast<int32_t>(dir), count > 2 ? strtoull(words[2], nullptr, 10) : 20260,
                                    count > 3 ? strtoull(words[3], nullptr, 10) : 2000};
  printf("seed %llu, rounds %llu, crc %s\n", static_cast<unsigned long long>(setting.seed),
         static_cast<unsigned long long>(setting.rounds), crc64_kind());
  EQUAL(crc64_update(0, "123456789", 9) == 0xae8b14860a799888ull, 1);
  // Watching comes first: it forks, and that is done before there are threads.
  harness::testWatching(setting);
  puts("watching ok");
  harness::testFaults(setting);
  puts("faults ok");
  harness::testPassing(setting);
  puts("passing ok");
  harness::testSending(setting);
  puts("sending ok");
  harness::testThreads(setting);
  puts("threads ok");
  EQUAL(closeFile(setting.dir), 0);
  EQUAL(File::live.load(), 0);
  EQUAL(List::live.load(), 0);
  EQUAL(Arena::live.load(), 0);
  EQUAL(Sha::live.load(), 0);
  EQUAL(watchCount(), 0);
  return 0;
}
