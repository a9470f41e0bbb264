# The native parts, each with a Makefile of its own that rebuilds only what changed.
#   make native          addon, plug-in, host program
#   make clean           removes what was built here
NATIVE := native/addon native/plugin native/host

.PHONY: native clean $(NATIVE)
native: $(NATIVE)

$(NATIVE):
	@if [ -f $@/Makefile ]; then $(MAKE) --no-print-directory -C $@; else echo "$@: not there yet" >&2; fi

clean:
	@for dir in $(NATIVE); do $(MAKE) --no-print-directory -C $$dir clean || exit 1; done
