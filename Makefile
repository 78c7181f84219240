# make TARGET is ./dev TARGET.
TARGETS = run test test-all build lint format bench asan tsan clean help

help:
.PHONY: $(TARGETS)
$(TARGETS):
	@./dev $@
