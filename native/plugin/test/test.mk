# Tests of the plug-in: its sources compiled together with the harness, so that inner parts can be looked at, and system
# calls wrapped (shim.h). One build directory for each sanitizer.
SUITES := $(sort $(wildcard test/test-*.c))
HARNESS := test/harness.c test/shim.c test/fake.c test/model.c
TEST_HEADERS := $(HEADERS) $(wildcard test/*.h)
WRAP := $(foreach call,poll clock_gettime nanosleep connect recvmsg sendmsg socket mmap madvise mincore syscall,\
  -Wl,--wrap=$(call))
TEST_FLAGS := $(STRICT) -DSTSP_VERSION='"$(VERSION)"' -g -pthread

plain_flags := -O1
asan_flags := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
tsan_flags := -O1 -fno-omit-frame-pointer -fsanitize=thread

define suite
build/$(1)/%.o: %.c $$(TEST_HEADERS) Makefile test/test.mk
	@mkdir -p $$(@D)
	$$(CC) $$(TEST_FLAGS) $$($(1)_flags) -c -o $$@ $$<

build/$(1)/harness: $$(patsubst %.c,build/$(1)/%.o,$$(SOURCES) $$(HARNESS) $$(filter-out test/test-load.c,$$(SUITES)))
	$$(CC) $$(TEST_FLAGS) $$($(1)_flags) $$(WRAP) -o $$@ $$^
endef
$(foreach kind,plain asan tsan,$(eval $(call suite,$(kind))))

build/plain/load: $(patsubst %.c,build/plain/%.o,test/harness.c test/fake.c test/test-load.c)
	$(CC) $(TEST_FLAGS) -o $@ $^ -ldl

build/ini-print: test/ini-print.c ini.c ini.h | build
	$(CC) $(TEST_FLAGS) -o $@ test/ini-print.c ini.c

test: all build/plain/harness build/plain/load build/ini-print
	build/plain/harness
	STSP_LIBRARIES=$(CURDIR)/build build/plain/load

asan: build/asan/harness
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 build/asan/harness

tsan: build/tsan/harness
	TSAN_OPTIONS=halt_on_error=1:die_after_fork=0 build/tsan/harness

.PHONY: test asan tsan

# Fuzzers: the code under test counts its edges, the driver does not. libfuzzer-NAME takes clang's instead.
FUZZ_SECONDS ?= 10
FUZZ_SEED ?= 20260101
CORPUS := ../../test/fuzz/corpus
fuzz_flags := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

build/fuzz/%.o: %.c $(TEST_HEADERS) Makefile test/test.mk
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) $(fuzz_flags) $(if $(filter test/%,$<),,-fsanitize-coverage=trace-pc) -c -o $@ $<

build/fuzz-%: $(patsubst %.c,build/fuzz/%.o,$(SOURCES) test/fuzz-driver.c) build/fuzz/test/fuzz-%.o
	$(CC) $(TEST_FLAGS) $(fuzz_flags) -o $@ $^

build/libfuzzer-%: $(SOURCES) test/fuzz-%.c $(TEST_HEADERS)
	@mkdir -p $(@D)
	clang $(TEST_FLAGS) -O1 -fsanitize=fuzzer,address,undefined -o $@ $(SOURCES) test/fuzz-$*.c

fuzz: fuzz-config fuzz-frames
fuzz-config fuzz-frames: fuzz-%: build/fuzz-%
	build/fuzz-$* --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) $(FUZZ_KEEP) $(CORPUS)/plugin-$* \
	  $(if $(filter config,$*),../../test/vectors/ini)
libfuzzer-config libfuzzer-frames: libfuzzer-%: build/libfuzzer-%
	build/libfuzzer-$* -max_total_time=$(FUZZ_SECONDS) $(CORPUS)/plugin-$*

.PHONY: fuzz fuzz-config fuzz-frames libfuzzer-config libfuzzer-frames
