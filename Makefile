# The native parts, each with a Makefile of its own that rebuilds only what changed.
#   make native          addon, plug-in, host program
#   make clean           removes what was built here
NATIVE := native/addon native/plugin native/host

.PHONY: native clean $(NATIVE)
native: $(NATIVE)

$(NATIVE):
	@$(MAKE) --no-print-directory -C $@

clean:
	@for dir in $(NATIVE); do $(MAKE) --no-print-directory -C $$dir clean || exit 1; done
